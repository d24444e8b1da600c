import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import type { FlagList, RevisionEvent } from "../../../src/api-types.ts";
import { useLiveStore } from "../live.ts";
import { flagsQuery, type Place, projectsQuery, sessionQuery } from "../queries.ts";
import { say } from "../undo.tsx";
import { usePlace } from "./place.ts";

const ACTIONS: Readonly<Record<string, string>> = {
  "flag.create": "made",
  "flag.rename": "renamed",
  "flag.edit": "edited",
  "flag.configure": "changed",
  "flag.archive": "archived",
  "flag.revive": "took out of the archive",
  "flag.delete": "deleted",
  "flag.replace": "changed",
  "flag.kill": "killed",
  "flag.restore": "restored",
  "group.create": "made the group",
  "group.edit": "changed the group",
  "group.delete": "deleted the group",
  "group.members": "changed the members of",
  // Who signs up does so by the hundred; the group's page shows it.
  "early-access.join": "",
  "early-access.leave": "",
};

/** A short note when somebody else changes something in the environment on screen: "ana changed new-checkout: SOME 10 % → SOME 25 %". */
export function useOthersChanges(): void {
  const place = usePlace();
  const live = useLiveStore();
  const client = useQueryClient();
  const { data: session } = useQuery(sessionQuery);
  const me = session?.user.name;
  const current = useRef(place);
  current.current = place;

  useEffect(
    () =>
      live.onRevision((event) => {
        const { project, environment } = current.current;
        // Names, colors and order of environments are on every page.
        if (/^(environment|project)\./.test(event.action)) void client.invalidateQueries({ queryKey: projectsQuery.queryKey });
        if (me === undefined || event.by === me || event.project !== project || event.environment !== environment) return;
        const words = ACTIONS[event.action];
        if (!words) return;
        const before = stateText(client.getQueryData<FlagList>(flagsQuery(event).queryKey), event.target);
        void tell(client, event, words, before);
      }),
    [live, client, me],
  );
}

function stateText(list: FlagList | undefined, key: string): string | undefined {
  return list?.flags.find((flag) => flag.key === key)?.state.text;
}

async function tell(client: QueryClient, event: RevisionEvent, words: string, before: string | undefined) {
  const about = `change of ${event.target}`;
  const sentence = `${event.by} ${words} ${event.target}`;
  if (before === undefined) return say(about, sentence);
  const after = stateText(await fresh(client, event), event.target);
  say(about, after === undefined || after === before ? sentence : `${sentence}: ${before} → ${after}`);
}

async function fresh(client: QueryClient, event: Place): Promise<FlagList | undefined> {
  try {
    return await client.query({ ...flagsQuery(event), staleTime: 0 });
  } catch {
    return undefined; // The note then says who changed what, and the page itself shows that it cannot load.
  }
}
