import type { CreateSdkKey, CreateToken, SdkKey, SdkKeyMade, SdkKeys, Token, TokenCreated, TokenList, TokenScope } from "../api-types.ts";
import { type Client, connect, createClient } from "./client.ts";
import { ago, EXIT, type Output, table } from "./commands.ts";
import { type Options, UsageProblem } from "./options.ts";

const SCOPES: readonly string[] = ["admin", "releaser", "editor", "operator", "viewer", "kill"] satisfies TokenScope[];

/** `token list | create NAME | rotate ID | revoke ID`. */
export async function token(options: Options, output: Output): Promise<number> {
  const client = connect(options);
  const { key: verb } = options;
  const at = "/api/v1/tokens";
  switch (verb) {
    case undefined:
    case "list": {
      const found = await client.get<TokenList>(at);
      return print(options, output, found, () => tokenLines(found.tokens));
    }
    case "create": {
      const made = await client.post<TokenCreated>(at, wantedToken(options));
      return shown(options, output, made, made.token);
    }
    case "rotate": {
      const made = await client.post<TokenCreated>(`${at}/${idOf(options)}/rotate`, rotation(options));
      return shown(options, output, made, made.token);
    }
    case "revoke":
      return revoke(client, `${at}/${idOf(options)}`, options, output);
    default:
      throw unknownVerb("token", verb);
  }
}

/** The same for the SDK keys of an environment. */
export async function sdkKey(options: Options, output: Output): Promise<number> {
  const { client, at: environment } = createClient(options);
  const { key: verb } = options;
  const at = `${environment}/sdk-keys`;
  switch (verb) {
    case undefined:
    case "list": {
      const found = await client.get<SdkKeys>(at);
      return print(options, output, found, () => keyLines(found.keys));
    }
    case "create": {
      const made = await client.post<SdkKeyMade>(at, wantedKey(options));
      return shown(options, output, made, made.text);
    }
    case "rotate": {
      const made = await client.post<SdkKeyMade>(`${at}/${idOf(options)}/rotate`, rotation(options));
      return shown(options, output, made, made.text);
    }
    case "revoke":
      return revoke(client, `${at}/${idOf(options)}`, options, output);
    default:
      throw unknownVerb("sdk-key", verb);
  }
}

function print(options: Options, { out }: Output, answer: object, lines: () => string[]): number {
  if (options.json) out(JSON.stringify(answer, null, 2));
  else for (const line of lines()) out(line);
  return EXIT.done;
}

/** The text alone goes to the output, so that a script can take it; what is said about it goes beside it. */
function shown(options: Options, { out, err }: Output, answer: object, text: string): number {
  if (options.json) out(JSON.stringify(answer, null, 2));
  else {
    err("This is shown once; keep it like a password.");
    out(text);
  }
  return EXIT.done;
}

async function revoke(client: Client, path: string, options: Options, { out }: Output): Promise<number> {
  await client.delete(options.reason === undefined ? path : `${path}?${new URLSearchParams({ reason: options.reason })}`);
  if (options.json) out(JSON.stringify({ revoked: idOf(options) }));
  else out(`revoked ${idOf(options)}: it is refused from now on`);
  return EXIT.done;
}

function wantedToken(options: Options): CreateToken {
  const { scope, kind = "personal", flags, givenProject, environment = null } = options;
  if (scope === undefined || !SCOPES.includes(scope)) {
    throw new UsageProblem(`Which scope? Add --scope with one of ${SCOPES.join(", ")}.`);
  }
  if (kind !== "personal" && kind !== "service") throw new UsageProblem(`--kind is "${kind}", expected personal or service.`);
  return {
    name: nameOf(options),
    scope: scope as TokenScope,
    kind,
    // An environment is one of the project that every command takes when none is named.
    project: environment === null ? (givenProject ?? null) : options.project,
    environment,
    ...(flags.length > 0 && { flags: [...flags] }),
    ...common(options),
  };
}

function wantedKey(options: Options): CreateSdkKey {
  const { kind = "server", origins } = options;
  if (kind !== "server" && kind !== "browser") throw new UsageProblem(`--kind is "${kind}", expected server or browser.`);
  return { kind, name: nameOf(options), ...(origins.length > 0 && { origins: [...origins] }), ...common(options) };
}

function rotation(options: Options) {
  const oldHours = numberOf("old-hours", options.oldHours);
  return { ...(oldHours !== undefined && { oldHours }), ...common(options) };
}

function common(options: Options): { days?: number; reason?: string } {
  const days = numberOf("days", options.days);
  return { ...(days !== undefined && { days }), ...(options.reason !== undefined && { reason: options.reason }) };
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,5}$/.test(text)) throw new UsageProblem(`--${name} is "${text}", expected a whole number.`);
  return Number(text);
}

function nameOf({ command, rest: [name] }: Options): string {
  if (name === undefined) throw new UsageProblem(`Which name? Write "signalbox ${command} create NAME": what will use it.`);
  return name;
}

function idOf({ command, key, rest: [id] }: Options): number {
  if (id !== undefined && /^\d{1,15}$/.test(id)) return Number(id);
  throw new UsageProblem(`Which one? Write "signalbox ${command} ${key} ID"; "signalbox ${command} list" has the numbers.`);
}

function unknownVerb(command: string, verb: string): UsageProblem {
  return new UsageProblem(`"${command} ${verb}" is no command: write list, create, rotate or revoke.`);
}

function tokenLines(tokens: readonly Token[]): string[] {
  if (tokens.length === 0) return ["There is no token."];
  const rows = tokens.map(({ id, name, kind, scope, project, environment, flags, createdBy, expiresAt, lastUsedAt }) => [
    String(id),
    name,
    `${kind}, ${scope}${flags ? ` of ${flags.join(" ")}` : ""}`,
    project === null ? "everywhere" : environment === null ? project : `${project}/${environment}`,
    createdBy,
    dayOf(expiresAt),
    usedWhen(lastUsedAt),
  ]);
  return table([["ID", "NAME", "MAY", "WHERE", "BY", "ENDS", "USED"], ...rows]);
}

function keyLines(keys: readonly SdkKey[]): string[] {
  if (keys.length === 0) return ["There is no SDK key."];
  const rows = keys.map(({ id, name, kind, selector, origins, expiresAt, lastUsedAt, connected, apps }) => [
    String(id),
    name,
    kind,
    selector,
    kind === "server" ? "-" : origins.length === 0 ? "every" : origins.join(" "),
    expiresAt === null ? "never" : dayOf(expiresAt),
    usedWhen(lastUsedAt),
    connected === 0 ? "-" : apps.map(({ app, programs }) => `${app} (${programs})`).join(" "),
  ]);
  return table([["ID", "NAME", "KIND", "SELECTOR", "ORIGINS", "ENDS", "USED", "PROGRAMS"], ...rows]);
}

function usedWhen(at: number | null): string {
  return at === null ? "never" : ago(at);
}

function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
