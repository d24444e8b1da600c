import { run } from "./run.ts";

/** The entry of `signalbox`. The exit code is set, not forced, so that what was printed is written out. */
process.exitCode = await run(process.argv.slice(2), process.env, {
  out: (line) => console.log(line),
  err: (line) => console.error(line),
});
