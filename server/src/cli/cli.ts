import { run } from "./run.ts";

/** The entry of `signalbox`. The exit code is set, not forced, so that what was printed is written out. */
process.exitCode = await run(process.argv.slice(2), process.env, {
  out: (line) => console.log(line),
  err: (line) => console.error(line),
  // Cut to the width of the terminal: a line that wraps could not be taken back.
  ...(process.stdout.isTTY && {
    live: (line: string) => void process.stdout.write(`\r\u001b[K${line.slice(0, Math.max(20, (process.stdout.columns ?? 80) - 1))}`),
  }),
});
