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
  /** The words after the command and `key`; `run` refuses more than the command takes. */
  readonly rest: readonly string[];
  readonly environment: string | undefined;
  readonly reason: string | undefined;
  readonly context: string | undefined;
  readonly contexts: string | undefined;
  readonly set: string | undefined;
  readonly percent: string | undefined;
  readonly tag: string | undefined;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly change: string | undefined;
  readonly before: string | undefined;
  readonly limit: string | undefined;
  readonly head: string | undefined;
  readonly format: string | undefined;
  readonly unit: string | undefined;
  readonly folder: string | undefined;
  readonly groups: readonly string[];
  readonly members: string | undefined;
  readonly file: string | undefined;
  readonly mode: string | undefined;
  readonly column: string | undefined;
  readonly rejoin: boolean;
  readonly kind: string | undefined;
  readonly scope: string | undefined;
  readonly days: string | undefined;
  readonly oldHours: string | undefined;
  readonly origins: readonly string[];
  readonly flags: readonly string[];
  readonly dryRun: boolean;
  readonly reuse: boolean;
  readonly search: string | undefined;
  readonly owner: string | undefined;
  readonly state: string | undefined;
  readonly url: string;
  readonly token: string | undefined;
  readonly project: string;
  /** The same without the one that is taken when none was named. */
  readonly givenProject: string | undefined;
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
  tag: { type: "string" },
  from: { type: "string" },
  to: { type: "string" },
  change: { type: "string" },
  before: { type: "string" },
  limit: { type: "string" },
  head: { type: "string" },
  format: { type: "string" },
  unit: { type: "string" },
  folder: { type: "string" },
  group: { type: "string", multiple: true },
  members: { type: "string" },
  file: { type: "string" },
  mode: { type: "string" },
  column: { type: "string" },
  rejoin: { type: "boolean" },
  kind: { type: "string" },
  scope: { type: "string" },
  days: { type: "string" },
  "old-hours": { type: "string" },
  origin: { type: "string", multiple: true },
  flag: { type: "string", multiple: true },
  "dry-run": { type: "boolean" },
  reuse: { type: "boolean" },
  search: { type: "string" },
  owner: { type: "string" },
  state: { type: "string" },
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
  const url = values.url ?? (env.SIGNALBOX_URL || "http://localhost:7070");
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new UsageProblem(`The URL "${url}" is none: write --url http://localhost:7070, or set SIGNALBOX_URL.`);
  }
  return {
    command,
    key,
    rest,
    environment: values.environment,
    reason: values.message?.trim() || undefined,
    context: values.context,
    contexts: values.contexts,
    set: values.set,
    percent: values.percent,
    tag: values.tag,
    from: values.from,
    to: values.to,
    change: values.change,
    before: values.before,
    limit: values.limit,
    head: values.head,
    format: values.format,
    unit: values.unit,
    folder: values.folder,
    groups: values.group ?? [],
    members: values.members,
    file: values.file,
    mode: values.mode,
    column: values.column,
    rejoin: values.rejoin ?? false,
    kind: values.kind,
    scope: values.scope,
    days: values.days,
    oldHours: values["old-hours"],
    origins: values.origin ?? [],
    flags: values.flag ?? [],
    dryRun: values["dry-run"] ?? false,
    reuse: values.reuse ?? false,
    search: values.search,
    owner: values.owner,
    state: values.state,
    url: new URL(url).origin,
    token: values.token ?? (env.SIGNALBOX_TOKEN || undefined),
    project: values.project ?? "default",
    givenProject: values.project,
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
