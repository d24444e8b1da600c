import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

let data: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "signalbox-main-"));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(data, { recursive: true, force: true });
});

/** `signalbox serve` as a process of its own. */
function serve(env: Record<string, string>) {
  const entry = fileURLToPath(new URL("./cli/cli.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", entry, "serve"], {
    env: { PATH: process.env.PATH, PORT: "0", SIGNALBOX_DATA: data, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  const output = { out: "", err: "" };
  child.stderr.on("data", (part) => {
    output.err += part;
  });
  const printed = new Promise<string>((resolve) => {
    child.stdout.on("data", (part) => {
      output.out += part;
      resolve(output.out);
    });
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.once("close", (code) => resolve({ code, ...output })),
  );
  return { child, printed, ended };
}

describe("signalbox serve", { timeout: 30_000 }, () => {
  it("prints where it is and how to name the first account, and ends with 0 when told to stop", async () => {
    const { child, printed, ended } = serve({});
    expect(await printed).toMatch(
      /^Signalbox is ready: http:\/\/localhost:\d+ \(SQLite by (better-sqlite3|libsql) [\d.]+, data in \S+\)\nName the first account: http:\/\/localhost:\d+\/setup#token=[\w-]{43}\n$/,
    );
    child.kill("SIGTERM");
    expect(await ended).toMatchObject({ code: 0, err: "" });
  });

  it.each([
    [{ PORT: "seventy" }, /^PORT is "seventy", expected a number from 0 to 65535: for example PORT=7080\.\n$/],
    [{ SIGNALBOX_DATA: "/dev/null/data" }, /^The data folder \/dev\/null\/data cannot be written .*SIGNALBOX_DATA\.\n$/],
  ])("answers %j with one sentence and exit code 1", async (env, sentence) => {
    const { code, out, err } = await serve(env).ended;
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(sentence);
  });
});
