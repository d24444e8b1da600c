import type { EnvironmentSettings, PatchSettings, SettingsWritten, SigningSecrets } from "../api-types.ts";
import { createClient } from "./client.ts";
import type { Output } from "./commands.ts";
import { type Options, UsageProblem } from "./options.ts";

const EXAMPLES = "secure-mode=on, private-attributes=email,salary, sample-contexts=off, signing-secret=rotate or signing-secret=retire-old";

type Step =
  | { readonly kind: "patch"; readonly patch: PatchSettings }
  | { readonly kind: "secret"; readonly step: "rotate" | "retire-old" }
  | { readonly kind: "show-secret" };

/** `settings` shows, `settings NAME=VALUE` sets one, `settings signing-secret` prints the secrets that hold. */
export async function settings(options: Options, { out }: Output): Promise<number> {
  const { client, at } = createClient(options);
  const step = options.key === undefined ? undefined : readStep(options.key);
  if (step?.kind === "show-secret") {
    const secrets = await client.get<SigningSecrets>(`${at}/signing-secret`);
    if (options.json) out(JSON.stringify(secrets, null, 2));
    else for (const { secret } of secrets.secrets) out(secret);
    return 0;
  }
  const current = await client.get<EnvironmentSettings>(`${at}/settings`);
  if (!step) {
    if (options.json) out(JSON.stringify(current, null, 2));
    else for (const line of linesOf(current)) out(line);
    return 0;
  }
  const written =
    step.kind === "patch"
      ? await client.patch<SettingsWritten>(`${at}/settings`, step.patch, current.etag)
      : await client.post<SettingsWritten>(`${at}/signing-secret/${step.step}`, {}, current.etag);
  if (options.json) out(JSON.stringify(written, null, 2));
  else {
    out(written.changed ? `saved (revision ${written.revision})` : "that was so already, nothing was changed");
    for (const line of linesOf(written.settings)) out(line);
  }
  return 0;
}

function readStep(text: string): Step {
  if (text === "signing-secret") return { kind: "show-secret" };
  const equals = text.indexOf("=");
  const [name, value] = equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
  if (value === undefined) throw new UsageProblem(`"${text}" sets nothing: write ${EXAMPLES}.`);
  switch (name) {
    case "secure-mode":
      return { kind: "patch", patch: { secureMode: isOn(name, value) } };
    case "sample-contexts":
      return { kind: "patch", patch: { sampleContexts: isOn(name, value) } };
    case "private-attributes": {
      const names = value.split(",").map((one) => one.trim());
      return { kind: "patch", patch: { privateAttributes: names.filter((one) => one !== "") } };
    }
    case "signing-secret":
      if (value === "rotate" || value === "retire-old") return { kind: "secret", step: value };
      throw new UsageProblem(`signing-secret is "${value}", expected rotate or retire-old; without = it prints the secrets.`);
    default:
      throw new UsageProblem(`"${name}" is no setting: write ${EXAMPLES}.`);
  }
}

function isOn(name: string, value: string): boolean {
  if (value === "on" || value === "off") return value === "on";
  throw new UsageProblem(`${name} is "${value}", expected on or off.`);
}

function linesOf({ environment, secureMode, privateAttributes, sampleContexts, signingSecret }: EnvironmentSettings): string[] {
  const { version, oldHolds } = signingSecret;
  return [
    `Settings of ${environment}`,
    `  secure-mode         ${secureMode ? "on: pages have to send a signed context" : "off: pages are believed whom they say they ask for"}`,
    `  signing-secret      number ${version}${oldHolds ? ` holds, and number ${version - 1} until it is retired (signing-secret=retire-old)` : " holds"}`,
    `  private-attributes  ${privateAttributes.length > 0 ? privateAttributes.join(", ") : "none"}`,
    `  sample-contexts     ${sampleContexts ? "on: programs send some of the contexts that they evaluate for" : "off"}`,
  ];
}
