import { version } from "../version.ts";
import { Refused } from "./client.ts";
import { killOrRestore, list, type Output, show } from "./commands.ts";
import { effect, explain } from "./explain.ts";
import { fleet } from "./fleet.ts";
import { type Input, input as ownInput } from "./input.ts";
import { HELP, type Options, readOptions, UsageProblem } from "./options.ts";
import { settings } from "./settings.ts";
import { usage } from "./usage.ts";

const NOT_DONE = 1;

/** Runs one command line and resolves with the exit code. Mistakes and refusals are one sentence, never a stack. */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv, output: Output, input: Input = ownInput): Promise<number> {
  try {
    return await dispatch(readOptions(args, env), env, output, input);
  } catch (error) {
    if (!(error instanceof UsageProblem || error instanceof Refused)) throw error;
    output.err(error.message);
    return NOT_DONE;
  }
}

async function dispatch(options: Options, env: NodeJS.ProcessEnv, output: Output, input: Input): Promise<number> {
  if (options.version) {
    output.out(version);
    return 0;
  }
  if (options.help || options.command === undefined) {
    output.out(HELP);
    return options.help ? 0 : NOT_DONE;
  }
  switch (options.command) {
    case "serve":
      // Only the server needs what it imports: the other commands answer at once, on a machine without SQLite too.
      return (await import("../main.ts")).serve(env);
    case "list":
      return list(options, output);
    case "show":
      return show(options, output);
    case "usage":
      return usage(options, output);
    case "explain":
      return explain(options, output, input);
    case "effect":
      return effect(options, output, input);
    case "fleet":
      return fleet(options, output);
    case "settings":
      return settings(options, output);
    case "kill":
    case "restore":
      return killOrRestore(options.command, options, output);
    default:
      throw new UsageProblem(`"${options.command}" is no command: write "signalbox --help" for those that there are.`);
  }
}
