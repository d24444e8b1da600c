import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import type { ConfigurationPatch, Flag, FlagList, FlagSummary, FlagsWritten, FlagWritten, PatchFlag } from "../../../src/api-types.ts";
import { call, projectPath } from "../api.ts";
import { useLiveStore } from "../live.ts";
import { browserViewQuery, flagPath, flagQuery, flagsQuery, type Place, pathOf } from "../queries.ts";
import { announceChange, sayProblem } from "../undo.tsx";
import { ReceiptLine } from "./ReceiptLine.tsx";

/** Takes the answer of a write as the newest state of the flag, on its page and in the list. */
export function takeFlag(client: QueryClient, place: Place, flag: Flag, oldKey = flag.key): void {
  client.setQueryData(flagQuery(place, flag.key).queryKey, flag);
  client.setQueryData<FlagList>(flagsQuery(place).queryKey, (list) => {
    if (!list) return list;
    const known = list.flags.some(({ key }) => key === oldKey);
    return {
      ...list,
      flags: known ? list.flags.map((old) => (old.key === oldKey ? summaryOf(flag) : old)) : [...list.flags, summaryOf(flag)],
    };
  });
  void client.invalidateQueries({ queryKey: browserViewQuery(place, flag.key).queryKey });
}

function summaryOf(flag: Flag): FlagSummary {
  const { key, name, description, type, tags, owner, kind, expectedDays, stale, archived, browser, state, killed, seen, perMinute } = flag;
  const { updatedAt, updatedBy } = flag;
  return {
    key,
    name,
    description,
    type,
    tags,
    owner,
    kind,
    expectedDays,
    stale,
    archived,
    browser,
    state,
    killed,
    seen,
    perMinute,
    updatedAt,
    updatedBy,
  };
}

/** The writes on one flag, each of which says what it did and offers Undo. */
export function useFlagActions(place: Place) {
  const client = useQueryClient();
  const live = useLiveStore();

  async function write(flag: string, verb: "kill" | "restore"): Promise<FlagWritten> {
    const written = await call<FlagWritten>("POST", `${flagPath(place, flag)}/${verb}`, { body: {} });
    takeFlag(client, place, written.flag);
    return written;
  }

  function done(verb: "kill" | "restore", written: FlagWritten) {
    const { flag, revision, changed } = written;
    const opposite = verb === "kill" ? "restore" : "kill";
    live.noteKill(place, flag.key, revision);
    announceChange({
      title: `${verb === "kill" ? "Killed" : "Restored"} ${flag.key} in ${place.environment}`,
      tone: verb === "kill" ? "kill" : "plain",
      details: changed ? <ReceiptLine place={place} revision={revision} /> : "It was so already; nothing was changed.",
      ...(changed ? { undo: async () => done(opposite, await write(flag.key, opposite)) } : {}),
    });
  }

  /** Everybody gets the off variant, at once; the receipt then counts the programs that have applied it. */
  async function kill(flag: string): Promise<void> {
    try {
      done("kill", await write(flag, "kill"));
    } catch (error) {
      sayProblem(`${flag} was not killed`, error);
    }
  }

  async function restore(flag: string): Promise<void> {
    try {
      done("restore", await write(flag, "restore"));
    } catch (error) {
      sayProblem(`${flag} was not restored`, error);
    }
  }

  async function writeSeveral(flags: readonly string[], verb: "kill" | "restore"): Promise<FlagsWritten> {
    const written = await call<FlagsWritten>("POST", `${pathOf(place)}/${verb}`, { body: { flags } });
    await client.invalidateQueries({ queryKey: flagsQuery(place).queryKey });
    for (const { key } of written.flags) void client.invalidateQueries({ queryKey: flagQuery(place, key).queryKey });
    return written;
  }

  function doneSeveral(verb: "kill" | "restore", { flags, revision, changed, missing }: FlagsWritten) {
    const opposite = verb === "kill" ? "restore" : "kill";
    const keys = flags.map(({ key }) => key);
    for (const key of keys) live.noteKill(place, key, revision);
    announceChange({
      title: `${verb === "kill" ? "Killed" : "Restored"} ${keys.length === 1 ? keys[0] : `${keys.length} flags`} in ${place.environment}`,
      tone: verb === "kill" ? "kill" : "plain",
      details: changed ? <ReceiptLine place={place} revision={revision} /> : "They were so already; nothing was changed.",
      ...(changed ? { undo: async () => doneSeveral(opposite, await writeSeveral(keys, opposite)) } : {}),
    });
    if (missing.length > 0) sayProblem("Some are gone", new Error(`There is no flag ${missing.join(", ")} any more.`));
  }

  /** Several as one revision. */
  async function killOrRestore(flags: readonly string[], verb: "kill" | "restore"): Promise<boolean> {
    try {
      doneSeveral(verb, await writeSeveral(flags, verb));
      return true;
    } catch (error) {
      sayProblem(`They were not ${verb === "kill" ? "killed" : "restored"}`, error);
      return false;
    }
  }

  /** In every environment at once, against the ETags that were seen. */
  async function setArchivedEverywhere(flag: Flag, archived: boolean): Promise<void> {
    const path = `${projectPath(place.project)}/flags/${encodeURIComponent(flag.key)}/${archived ? "archive" : "revive"}`;
    const ifMatch = flag.environments.map(({ configurationEtag }) => configurationEtag).join(", ");
    await call<FlagWritten>("POST", path, { body: {}, ifMatch });
    await client.invalidateQueries({ queryKey: ["place", place.project] });
  }

  async function remove(flag: Flag, reason: string): Promise<void> {
    const path = `${projectPath(place.project)}/flags/${encodeURIComponent(flag.key)}`;
    await call("DELETE", path, { body: { confirm: flag.key, ...(reason && { reason }) }, ifMatch: flag.identityEtag });
    client.removeQueries({ queryKey: flagQuery(place, flag.key).queryKey });
    await client.invalidateQueries({ queryKey: ["place", place.project] });
  }

  /** Writes identity and then configuration, whichever is given, against the ETags that the caller has seen. */
  async function save(flag: Flag, identity: PatchFlag, configuration: ConfigurationPatch): Promise<Flag> {
    let current = flag;
    if (Object.keys(identity).length > 0) {
      const path = `${projectPath(place.project)}/flags/${encodeURIComponent(flag.key)}?environment=${encodeURIComponent(place.environment)}`;
      current = (await call<FlagWritten>("PATCH", path, { body: identity, ifMatch: flag.identityEtag })).flag;
      takeFlag(client, place, current, flag.key);
    }
    if (Object.keys(configuration).length > 0) {
      const path = `${flagPath(place, current.key)}/configuration`;
      current = (await call<FlagWritten>("PATCH", path, { body: configuration, ifMatch: flag.configurationEtag })).flag;
      takeFlag(client, place, current);
    }
    return current;
  }

  /** A write that needs no review, with Undo. `back` are the values that Undo writes. */
  async function change(
    title: string,
    flag: Flag,
    edits: [PatchFlag, ConfigurationPatch],
    back: [PatchFlag, ConfigurationPatch],
  ): Promise<Flag> {
    const saved = await save(flag, ...edits);
    announceChange({ title, undo: () => save(saved, ...back) });
    return saved;
  }

  return { kill, restore, killOrRestore, setArchivedEverywhere, remove, save, change };
}
