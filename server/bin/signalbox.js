#!/usr/bin/env node
import { existsSync } from "node:fs";

const program = new URL("../dist/cli.js", import.meta.url);
if (existsSync(program)) {
  await import(program.href);
} else {
  console.error('Signalbox was not built: run "npm install && npm run build" in its repository, then try again.');
  process.exitCode = 1;
}
