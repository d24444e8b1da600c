import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import type { CreateGroup, Group, GroupList, GroupWritten, PatchGroup } from "../../../src/api-types.ts";
import { call } from "../api.ts";
import { groupPath, groupQuery, groupsQuery, type Place, pathOf, placeKey } from "../queries.ts";
import { announceChange } from "../undo.tsx";

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

  async function changeMembers(group: string, change: { add?: readonly string[]; remove?: readonly string[] }): Promise<void> {
    const written = await call<GroupWritten>("POST", `${groupPath(place, group)}/members`, { body: change });
    takeGroup(client, place, written.group);
  }

  /** Adds or removes, and offers to do the opposite. */
  async function members(group: string, verb: "add" | "remove", units: readonly string[]): Promise<void> {
    await changeMembers(group, { [verb]: units });
    const what = units.length === 1 ? units[0] : `${units.length} keys`;
    announceChange({
      title: verb === "add" ? `Added ${what} to ${group}` : `Removed ${what} from ${group}`,
      undo: () => changeMembers(group, { [verb === "add" ? "remove" : "add"]: units }),
    });
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
