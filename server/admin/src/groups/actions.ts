import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import type { CreateGroup, Group, GroupList, GroupWritten, MembersWritten, PatchGroup } from "../../../src/api-types.ts";
import { call } from "../api.ts";
import { groupPath, groupQuery, groupsQuery, type Place, pathOf, placeKey } from "../queries.ts";
import { announceChange } from "../undo.tsx";
import { pagesOf } from "./units.ts";

export function takeGroup(client: QueryClient, place: Place, group: Group): void {
  client.setQueryData(groupQuery(place, group.key).queryKey, group);
  client.setQueryData<GroupList>(groupsQuery(place).queryKey, (list) => {
    if (!list) return list;
    const known = list.groups.some(({ key }) => key === group.key);
    return { ...list, groups: known ? list.groups.map((old) => (old.key === group.key ? group : old)) : [...list.groups, group] };
  });
  void client.invalidateQueries({ queryKey: membersKey(place, group.key) });
}

export function membersKey(place: Place, group: string) {
  return [...placeKey(place), "members", group] as const;
}

interface MembersEdit {
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
  /** Adds also those who have left early access by themselves. */
  readonly rejoin?: boolean;
}

type Moved = Pick<MembersWritten, "added" | "removed" | "keptOut">;

export function useGroupActions(place: Place) {
  const client = useQueryClient();

  async function patch(group: Group, edits: PatchGroup): Promise<Group> {
    const written = await call<GroupWritten>("PATCH", groupPath(place, group.key), { body: edits, ifMatch: group.etag });
    takeGroup(client, place, written.group);
    return written.group;
  }

  async function save(group: Group, edits: PatchGroup, back: PatchGroup): Promise<void> {
    const saved = await patch(group, edits);
    announceChange({ title: `Saved the group ${group.key} in ${place.environment}`, undo: () => patch(saved, back) });
  }

  /** In parts that the server takes, one after the other; if one fails, those before it are done, and the page shows them. */
  async function changeMembers(group: string, { add = [], remove = [], rejoin }: MembersEdit): Promise<Moved> {
    const moved: Moved = { added: [], removed: [], keptOut: [] };
    const bodies = [
      ...pagesOf(add).map((page) => ({ add: page, ...(rejoin && { rejoin }) })),
      ...pagesOf(remove).map((page) => ({ remove: page })),
    ];
    for (const body of bodies) {
      const written = await call<MembersWritten>("POST", `${groupPath(place, group)}/members`, { body });
      takeGroup(client, place, written.group);
      moved.added.push(...written.added);
      moved.removed.push(...written.removed);
      moved.keptOut.push(...written.keptOut);
    }
    return moved;
  }

  /** Adds or removes, and offers to do the opposite to those who moved. Answers who was kept out, having left by themselves. */
  async function members(group: string, verb: "add" | "remove", units: readonly string[], rejoin = false): Promise<readonly string[]> {
    const { added, removed, keptOut } = await changeMembers(group, { [verb]: units, rejoin });
    const moved = verb === "add" ? added : removed;
    const what = moved.length === 1 ? moved[0] : `${moved.length.toLocaleString("en-US")} keys`;
    const title = verb === "add" ? `Added ${what} to ${group}` : `Removed ${what} from ${group}`;
    if (moved.length === 0) announceChange({ title: `Nobody was ${verb === "add" ? "added to" : "removed from"} ${group}` });
    else announceChange({ title, undo: () => changeMembers(group, { [verb === "add" ? "remove" : "add"]: moved }) });
    return keptOut;
  }

  async function destroy(group: Group): Promise<void> {
    await call("DELETE", groupPath(place, group.key), { ifMatch: group.etag });
    client.removeQueries({ queryKey: groupQuery(place, group.key).queryKey });
    await client.invalidateQueries({ queryKey: groupsQuery(place).queryKey });
  }

  /** The members of a deleted group are gone, so there is nothing that Undo could write back. */
  async function remove(group: Group): Promise<void> {
    await destroy(group);
    announceChange({ title: `Deleted the group ${group.key} in ${place.environment}` });
  }

  async function create(body: CreateGroup): Promise<Group> {
    const { group } = await call<GroupWritten>("POST", `${pathOf(place)}/groups`, { body });
    takeGroup(client, place, group);
    announceChange({ title: `Made the group ${group.key} in ${place.environment}`, undo: () => destroy(group) });
    return group;
  }

  return { create, save, members, remove };
}
