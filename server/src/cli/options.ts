import { parseArgs } from "node:util";

/** A mistake of the person who typed the command; the message is one sentence that says what to type instead. */
export class UsageProblem extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageProblem";
  }
}

export interface Options {
  readonly command: string | undefined;
  readonly key: string | undefined;
  readonly environment: string | undefined;
  readonly reason: string | undefined;
  readonly context: string | undefined;
  readonly contexts: string | undefined;
  readonly set: string | undefined;
  readonly percent: string | undefined;
  readonly url: string;
  readonly token: string | undefined;
  readonly project: string;
  readonly json: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

const OPTIONS = {
  environment: { type: "string", short: "e" },
  message: { type: "string", short: "m" },
  context: { type: "string" },
  contexts: { type: "string" },
  set: { type: "string" },
  percent: { type: "string" },
  url: { type: "string" },
  token: { type: "string" },
  project: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} as const;

/** Reads a command line. An option goes before the environment variable of the same meaning. Throws UsageProblem. */
export function readOptions(args: readonly string[], env: Readonly<Record<string, string | undefined>>): Options {
  const { values, positionals } = parse(args);
  const [command, key, ...rest] = positionals;
  if (rest.length > 0) throw new UsageProblem(`"${rest[0]}" is one word too many: write "signalbox --help" for the commands.`);
  const url = values.url ?? (env.SIGNALBOX_URL || "http://localhost:7070");
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new UsageProblem(`The URL "${url}" is none: write --url http://localhost:7070, or set SIGNALBOX_URL.`);
  }
  return {
    command,
    key,
    environment: values.environment,
    reason: values.message?.trim() || undefined,
    context: values.context,
    contexts: values.contexts,
    set: values.set,
    percent: values.percent,
    url: new URL(url).origin,
    token: values.token ?? (env.SIGNALBOX_TOKEN || undefined),
    project: values.project ?? "default",
    json: values.json ?? false,
    help: values.help ?? false,
    version: values.version ?? false,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true, strict: true });
  } catch (error) {
    const what = error instanceof Error ? (error.message.split(". ")[0] ?? error.message) : String(error);
    throw new UsageProblem(`${what}: write "signalbox --help" for the options.`);
  }
}

export const HELP = `signalbox: feature flags whose kill-switches reach every process within a second

  signalbox serve                            runs the server (PORT, HOST, SIGNALBOX_DATA, SIGNALBOX_PUBLIC_URL)
  signalbox list -e ENVIRONMENT              flags with their state
  signalbox fleet [-e ENVIRONMENT]           programs: connected, silent, polling, how far behind
  signalbox show KEY -e ENVIRONMENT          one flag: state, rules, who changed it last
  signalbox usage KEY -e ENVIRONMENT         what it served in the last hour, and whether a kill took effect
  signalbox explain KEY -e ENVIRONMENT --context JSON   why it answers as it does for one context
  signalbox effect KEY -e ENVIRONMENT --percent 25      who would gain and who would lose it; nothing is saved
  signalbox kill KEY -e ENVIRONMENT -m TEXT      everybody gets the off variant at once; waits for the receipt
  signalbox restore KEY -e ENVIRONMENT -m TEXT   lifts the kill; waits for the receipt
  signalbox settings -e ENVIRONMENT          secure mode, private attributes, sampling of contexts
  signalbox settings NAME=VALUE -e ENVIRONMENT   sets one: secure-mode=on, private-attributes=email,salary,
                                             sample-contexts=off, signing-secret=rotate, signing-secret=retire-old
  signalbox settings signing-secret -e ENVIRONMENT   prints the signing secrets that hold, newest first

Options
  -e, --environment   the environment; kill and restore never guess it
  -m, --message       the reason, kept in the audit
      --context       a context as JSON, @FILE, or - for the standard input: '{"key":"u1","plan":"pro"}'
      --set           unsaved edits as JSON, @FILE or -: fields of the configuration (explain, effect)
      --percent       unsaved edit: the percentage of the last rule without conditions (effect)
      --contexts      FILE or -: contexts to compare, a JSON list or one on each line, at most 10,000;
                      without it 10,000 are made up (effect)
      --url           the server (or SIGNALBOX_URL; default http://localhost:7070)
      --token         a token (or SIGNALBOX_TOKEN), made in the admin UI under Settings, Tokens
      --project       default: "default"
      --json          prints what the server answered
  -h, --help   -v, --version

Exit codes of kill and restore
  0 stored, and every connected program has applied it    3 stored, some programs lag (they are named)
  1 not stored                                            4 stored or perhaps stored, but not known what came of it
`;
