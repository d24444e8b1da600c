import { Alert, Box, Button, Group, List, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Flag, Reverted } from "../../../src/api-types.ts";
import { sentenceOfError } from "../api.ts";
import { Effect } from "../flags/Effect.tsx";
import { flagQuery, type Place, placeKey } from "../queries.ts";
import { announceChange } from "../undo.tsx";
import { flagThenQuery, revert, type Target } from "./queries.ts";

const TITLES: Readonly<Record<Target["kind"], (target: Target) => string>> = {
  change: ({ revision }) => `Take change ${revision} back`,
  flag: (target) => `${target.kind === "flag" ? target.flag : "The flag"} as it was after revision ${target.revision}`,
  all: ({ revision }) => `Everything as it was after revision ${revision}`,
};

/** What taking back would do, before it is done: the differences, whom it reaches, and what stays as it is. */
export function RevertDialog({ place, target, onClose }: { place: Place; target: Target | undefined; onClose: () => void }) {
  return (
    <Modal opened={target !== undefined} onClose={onClose} title={target && TITLES[target.kind](target)} size="lg">
      {target && <Preview place={place} target={target} onClose={onClose} />}
    </Modal>
  );
}

function Preview({ place, target, onClose }: { place: Place; target: Target; onClose: () => void }) {
  const client = useQueryClient();
  const [reason, setReason] = useState("");
  const preview = useQuery({
    queryKey: [...placeKey(place), "revert", target],
    queryFn: ({ signal }) => revert(place, target, { dryRun: true, signal }),
    retry: false,
    staleTime: 0,
  });
  const flag = useQuery({ ...flagQuery(place, target.kind === "flag" ? target.flag : ""), enabled: target.kind === "flag" });
  const run = useMutation({
    mutationFn: async (seen: Reverted) => {
      const ifMatch = target.kind === "flag" ? flag.data?.configurationEtag : seen.etag;
      const done = await revert(place, target, {
        ...(ifMatch !== undefined && { ifMatch }),
        ...(reason.trim() !== "" && { reason: reason.trim() }),
      });
      await client.invalidateQueries({ queryKey: placeKey(place) });
      return done;
    },
    onSuccess: (done) => {
      onClose();
      announceChange({
        title: `${TITLES[target.kind](target)}: done, as revision ${done.revision}`,
        details: done.changed ? undefined : "Nothing differed; nothing was changed.",
        ...(done.changed && { undo: () => undo(done.revision) }),
      });
    },
  });

  async function undo(revision: number): Promise<void> {
    await revert(place, { kind: "change", revision }, {});
    await client.invalidateQueries({ queryKey: placeKey(place) });
  }

  if (preview.isError) {
    return (
      <Stack>
        <Alert color="orange" variant="outline" title="It cannot be taken back like this">
          {sentenceOfError(preview.error)}
        </Alert>
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Close
          </Button>
        </Group>
      </Stack>
    );
  }
  if (!preview.data) return <Text size="sm">Looking at what it would do…</Text>;
  const { lines, leftAlone, changed, total, items } = preview.data;
  return (
    <Stack>
      {changed ? <Lines lines={lines} more={total - items.length} /> : <Text>Nothing differs: it is so already.</Text>}
      {leftAlone.length > 0 && (
        <Box>
          <Text size="sm" fw={600}>
            What to know
          </Text>
          <List size="sm">
            {leftAlone.map((line) => (
              <List.Item key={line}>{line}</List.Item>
            ))}
          </List>
        </Box>
      )}
      {changed && target.kind === "flag" && flag.data && <FlagEffect place={place} flag={flag.data} revision={target.revision} />}
      {changed && (
        <TextInput
          label="Reason"
          description="Kept in the history"
          maxLength={500}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
      )}
      {run.isError && (
        <Alert color="red" variant="outline" role="alert">
          {sentenceOfError(run.error)}
        </Alert>
      )}
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button disabled={!changed} loading={run.isPending} onClick={() => run.mutate(preview.data)}>
          {target.kind === "change" ? "Take it back" : "Go back to it"}
        </Button>
      </Group>
    </Stack>
  );
}

/** Whom it reaches, as for edits that are made by hand. */
function FlagEffect({ place, flag, revision }: { place: Place; flag: Flag; revision: number }) {
  const then = useQuery(flagThenQuery(place, flag.key, revision));
  return then.data ? <Effect place={place} flag={flag} configuration={then.data.configuration} /> : null;
}

export function Lines({ lines, more = 0 }: { lines: readonly string[]; more?: number }) {
  return (
    <Box component="ul" className="sb-list">
      {lines.map((line) => (
        <Text component="li" size="sm" key={line} style={{ overflowWrap: "anywhere" }}>
          {line}
        </Text>
      ))}
      {more > 0 && (
        <Text component="li" size="sm" c="dimmed">
          and {more} more
        </Text>
      )}
    </Box>
  );
}
