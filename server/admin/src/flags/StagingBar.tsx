import { Button, Container, Group, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { Flag } from "../../../src/api-types.ts";
import { ApiError } from "../api.ts";
import { useTyped } from "../problems.tsx";
import { flagQuery, type Place } from "../queries.ts";
import { useEnvironment } from "../shell/place.ts";
import { useMay, useMayInProject } from "../shell/rights.tsx";
import { announceChange, sayProblem } from "../undo.tsx";
import { takeFlag, useFlagActions } from "./actions.tsx";
import { describeChanges, type GroupName } from "./changes.ts";
import { directionOf } from "./direction.ts";
import { pick, shown, splitEdits } from "./draft.ts";
import { ReviewDrawer } from "./ReviewDrawer.tsx";
import type { Refused } from "./refused.ts";
import { firstIncomplete } from "./rules.ts";
import type { DraftHandle } from "./use-draft.ts";

interface StagingBarProps {
  readonly place: Place;
  readonly flag: Flag;
  readonly handle: DraftHandle;
  readonly groupName: GroupName;
  readonly onRefused: (refused: Refused) => void;
}

/** The one bar of unsaved edits. What only takes the flag from people can be saved at once; everything else is reviewed first. */
export function StagingBar({ place, flag, handle, groupName, onRefused }: StagingBarProps) {
  const { draft } = handle;
  const next = shown(draft);
  const lines = describeChanges(draft.base, draft.edits, groupName);
  const direction = directionOf(draft.base, next);
  const typed = useTyped();
  const { environment } = useEnvironment();
  const may = useMay();
  const mayInProject = useMayInProject();
  const { identity, configuration } = splitEdits(draft.edits);
  const isAllowed =
    (Object.keys(identity).length === 0 || mayInProject("edit")) && (Object.keys(configuration).length === 0 || may("edit"));
  const problem = isAllowed ? (typed ?? firstIncomplete(next.rules, draft.base.rules)) : "you may try this out, but not save it";
  const [reviewing, setReviewing] = useState(false);
  const { busy, save } = useSave(
    place,
    flag,
    handle,
    lines.map(({ what, from, to }) => `${what}: ${from ?? "–"} → ${to ?? "–"}`).join("; "),
    onRefused,
  );
  const quick = (direction === "fewer" || direction === "none") && draft.theirs.length === 0;

  useEffect(() => {
    // Toasts stand above the bar.
    document.documentElement.style.setProperty("--sb-bar", "72px");
    return () => {
      document.documentElement.style.removeProperty("--sb-bar");
    };
  }, []);

  return (
    <>
      <section className="sb-bar" aria-label="Unsaved changes">
        <Container size="lg">
          <Group justify="space-between" gap="xs">
            <Text size="sm" fw={600} role="status">
              {environment?.production && "PRODUCTION · "}
              {lines.length === 1 ? "1 unsaved change" : `${lines.length} unsaved changes`}
              {draft.theirs.length > 0 && ` · ${flag.updatedBy} changed the same`}
              {problem !== undefined && ` · ${problem}`}
            </Text>
            <Group gap="xs">
              <Button size="sm" variant="subtle" color="gray" onClick={handle.discard}>
                Discard
              </Button>
              {quick && (
                <Button size="sm" variant="default" loading={busy} disabled={problem !== undefined} onClick={() => void save()}>
                  Save now
                </Button>
              )}
              <Button size="sm" disabled={problem !== undefined} onClick={() => setReviewing(true)}>
                Review and save
              </Button>
            </Group>
          </Group>
        </Container>
      </section>
      <ReviewDrawer
        place={place}
        flag={flag}
        handle={handle}
        lines={lines}
        direction={direction}
        groupName={groupName}
        opened={reviewing}
        busy={busy}
        onClose={() => setReviewing(false)}
        onSave={async () => {
          if (await save()) setReviewing(false);
        }}
      />
    </>
  );
}

/** Saves the draft against the state that it was made on. After a conflict the draft stands on the newest state, unsaved. */
function useSave(place: Place, flag: Flag, handle: DraftHandle, summary: string, onRefused: (refused: Refused) => void) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const actions = useFlagActions(place);
  const [busy, setBusy] = useState(false);

  async function save(): Promise<boolean> {
    const { draft } = handle;
    const { identity, configuration } = splitEdits(draft.edits);
    const back = splitEdits(pick(draft.base, Object.keys(draft.edits)));
    setBusy(true);
    try {
      const saved = await actions.save(flag, patchOf(identity), configuration);
      handle.discard();
      announceChange({
        title: `Saved ${saved.key} in ${place.environment}`,
        details: <Text size="sm">{summary}</Text>,
        undo: async () => {
          const restored = await actions.save(saved, patchOf(back.identity), back.configuration);
          if (restored.key !== saved.key) await open(restored.key);
        },
      });
      if (saved.key !== flag.key) await open(saved.key);
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 412) {
        if (isFlag(error.current)) takeFlag(client, place, error.current, flag.key);
        else await client.invalidateQueries({ queryKey: flagQuery(place, flag.key).queryKey });
        sayProblem(
          `Not saved: ${isFlag(error.current) ? error.current.updatedBy : "somebody"} changed this flag meanwhile`,
          new Error("Your edits are kept, now on top of the newest state. Look at them again and save."),
        );
      } else if (error instanceof ApiError && error.issues.length > 0) {
        // The drawer and the fields say what was refused.
        onRefused({ issues: error.issues, fields: shown(draft) });
      } else sayProblem("Not saved", error);
      return false;
    } finally {
      setBusy(false);
    }
  }

  function open(key: string) {
    return navigate({ to: "/$project/$environment/flags/$flag", params: { ...place, flag: key }, replace: true });
  }

  return { busy, save };
}

function patchOf(identity: ReturnType<typeof splitEdits>["identity"]) {
  const { tags, ...rest } = identity;
  return { ...rest, ...(tags ? { tags: [...tags] } : {}) };
}

function isFlag(value: unknown): value is Flag {
  return typeof value === "object" && value !== null && "configurationEtag" in value && "configuration" in value;
}
