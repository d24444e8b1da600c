import type { Names } from "@signalbox/core";
import { configurationDifferences, type Difference, differenceSentence, groupDifferences, identityDifferences } from "../flags/diff.ts";
import type { EnvironmentSettings, FlagRecord } from "../store/model.ts";
import type { ChangeRecord, GroupImage } from "../store/record.ts";

/** What a change did to one flag, to one group or to the settings. */
export interface ItemChange {
  readonly kind: "flag" | "group" | "settings";
  readonly id: number;
  /** The key that it has after the change, or had. */
  readonly key: string;
  readonly event: "added" | "changed" | "removed";
  readonly differences: readonly Difference[];
  /** How many units came to the list and left it; null where the list is not concerned. */
  readonly members: { readonly added: number; readonly removed: number } | null;
}

/** What was there before a change, by id. Undefined for what was not there. */
export interface Before {
  flag(id: number): FlagRecord | undefined;
  group(id: number): GroupImage | undefined;
  settings(): EnvironmentSettings | undefined;
}

/** What the record of a change says beside what was there before it, item by item. */
export function itemChanges(record: ChangeRecord, before: Before, names: Names): ItemChange[] {
  const { flags = [], goneFlags = [], groups = [], goneGroups = [], lists = [], settings } = record;
  const items: ItemChange[] = [];
  for (const flag of flags) {
    const was = before.flag(flag.identity.id);
    const differences = was ? flagDifferences(was, flag, names) : [];
    if (was && differences.length === 0) continue;
    items.push({
      kind: "flag",
      id: flag.identity.id,
      key: flag.identity.key,
      event: was ? "changed" : "added",
      differences,
      members: null,
    });
  }
  for (const id of goneFlags) {
    items.push({ kind: "flag", id, key: before.flag(id)?.identity.key ?? `flag ${id}`, event: "removed", differences: [], members: null });
  }
  for (const group of groups) {
    const was = before.group(group.id);
    const list = lists.find((one) => one.group === group.id);
    const members = list ? { added: list.added.length, removed: list.removed.length } : null;
    const differences = was ? groupDifferences(was, group, names) : [];
    if (was && differences.length === 0 && !members) continue;
    items.push({ kind: "group", id: group.id, key: group.key, event: was ? "changed" : "added", differences, members });
  }
  for (const id of goneGroups) {
    items.push({ kind: "group", id, key: before.group(id)?.key ?? `group ${id}`, event: "removed", differences: [], members: null });
  }
  const settingsBefore = settings && before.settings();
  if (settings && settingsBefore) {
    const differences = settingsDifferences(settingsBefore, settings);
    if (differences.length > 0) items.push({ kind: "settings", id: 0, key: "settings", event: "changed", differences, members: null });
  }
  return items;
}

/** Everything of a flag in one environment: what it is, what it does, and the kill. */
export function flagDifferences(before: FlagRecord, after: FlagRecord, names: Names): Difference[] {
  const found = [
    ...identityDifferences(before.identity, after.identity),
    ...configurationDifferences(after.identity.type, before.body, after.body, names),
  ];
  if ((before.killed === null) === (after.killed === null)) return found;
  const words = ({ killed }: FlagRecord) => killed && `by ${killed.by}${killed.reason ? `: ${killed.reason}` : ""}`;
  const plain = ({ killed }: FlagRecord) => killed && { ...killed };
  return [...found, { field: "killed", what: "Killed", from: words(before), to: words(after), before: plain(before), after: plain(after) }];
}

export function settingsDifferences(before: EnvironmentSettings, after: EnvironmentSettings): Difference[] {
  const found: Difference[] = [];
  const yesNo = (value: boolean) => (value ? "yes" : "no");
  const compare = (field: keyof EnvironmentSettings, what: string, words: (settings: EnvironmentSettings) => string | null) => {
    const [from, to] = [words(before), words(after)];
    if (from === to) return;
    const plain = (value: EnvironmentSettings[typeof field]) => (typeof value === "object" ? [...value] : value);
    found.push({ field, what, from, to, before: plain(before[field]), after: plain(after[field]) });
  };
  compare("secureMode", "Secure mode", ({ secureMode }) => yesNo(secureMode));
  compare("privateAttributes", "Private attributes", ({ privateAttributes }) => privateAttributes.join(", ") || null);
  compare("sampleContexts", "Samples contexts", ({ sampleContexts }) => yesNo(sampleContexts));
  compare("signingVersion", "Newest signing secret", ({ signingVersion }) => String(signingVersion));
  compare("signingRetired", "Signing secrets retired", ({ signingRetired }) => String(signingRetired));
  return found;
}

/** One sentence for each thing that a change did; the key stands before it where the change is about several. */
export function linesOf(items: readonly ItemChange[]): string[] {
  return items.flatMap((item) => {
    const lead = items.length > 1 ? `${item.key}: ` : "";
    const name = item.kind === "settings" ? "settings" : `${item.kind} ${item.key}`;
    if (item.event !== "changed") return [`${item.event === "added" ? "New" : "Gone"}: ${name}`, ...memberLines(item)];
    return [...item.differences.map(differenceSentence), ...memberLines(item)].map((line) => lead + line);
  });
}

function memberLines({ members }: ItemChange): string[] {
  if (!members) return [];
  const { added, removed } = members;
  const say = (count: number, word: string) => (count > 0 ? [`${count.toLocaleString("en")} ${word}`] : []);
  const told = [...say(added, "came"), ...say(removed, "left")];
  return told.length > 0 ? [`Members: ${told.join(", ")}`] : [];
}

const VERBS: Readonly<Record<string, string>> = {
  "flag.create": "created",
  "flag.configure": "changed",
  "flag.replace": "changed",
  "flag.edit": "described",
  "flag.rename": "renamed",
  "flag.archive": "archived",
  "flag.revive": "revived",
  "flag.delete": "deleted",
  "flag.kill": "killed",
  "flag.restore": "restored",
  "flag.revert": "took back to an earlier state:",
  "group.create": "made the group",
  "group.edit": "changed the group",
  "group.delete": "deleted the group",
  "group.members": "changed who is in",
  "early-access.join": "joined",
  "early-access.leave": "left",
  "change.revert": "took back the change",
  "environment.revert": "took the environment back to",
  "environment.settings": "changed the settings of",
  "environment.signing-secret.rotate": "made a new signing secret for",
  "environment.signing-secret.retire-old": "retired the old signing secret of",
  "environment.upgrade": "shows browsers more or less after an upgrade of Signalbox, in",
  "environment.restored": "was put back with an older database:",
  "flag.promote": "promoted to this environment",
  "environment.create": "made the environment",
  "environment.edit": "changed the environment",
  "environment.order": "put the environments into another order:",
  "environment.delete": "deleted the environment",
  "project.create": "made the project",
  "project.edit": "changed the project",
  "project.delete": "deleted the project",
  "project.import": "imported into the project",
  "account.create": "made the account",
  "account.grant": "gave a role to",
  "account.take": "took a role from",
  "account.disable": "disabled the account",
  "account.enable": "enabled the account",
  "account.delete": "deleted the account",
  "account.password": "set the password of",
  "account.reset-link": "made a link for a new password of",
  "invitation.create": "made the",
  "invitation.revoke": "revoked the",
  "person.erase": "erased",
  "session.create": "signed in as",
  "session.end": "signed out as",
  "sign-in-link.create": "made a link to sign in as",
  "token.create": "made the",
  "token.rotate": "rotated the",
  "token.revoke": "revoked the",
  "sdk-key.create": "made the",
  "sdk-key.edit": "changed the",
  "sdk-key.rotate": "rotated the",
  "sdk-key.revoke": "revoked the",
};

/** "killed new-checkout"; an action that has no words of its own is named as it is. */
export function actionWords(action: string, target: string): string {
  return `${VERBS[action] ?? action.replaceAll(/[.-]/g, " ")} ${target}`;
}
