import { version } from "../version.ts";
import { Refused } from "./client.ts";
import type { Output } from "./commands.ts";
import { type Input, input as ownInput } from "./input.ts";
import { type Options, readOptions, UsageProblem } from "./options.ts";
import { COMMANDS, HELP } from "./table.ts";

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
  const command = Object.hasOwn(COMMANDS, options.command) ? COMMANDS[options.command] : undefined;
  if (!command) throw new UsageProblem(`"${options.command}" is no command: write "signalbox --help" for those that there are.`);
  const words = options.key === undefined ? [] : [options.key, ...options.rest];
  if (words.length > command.words) {
    throw new UsageProblem(`"${words[command.words]}" is one word too many: write "signalbox --help" for the commands.`);
  }
  return command.run(options, output, input, env);
}
