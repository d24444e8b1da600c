import { Alert, Button, Group, Modal, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Comparison, ConfigurationPatch, PromoteBody } from "../../../src/api-types.ts";
import { ApiError, sentenceOfError } from "../api.ts";
import { Effect } from "../flags/Effect.tsx";
import { revert } from "../history/queries.ts";
import { flagQuery, type Place, placeKey } from "../queries.ts";
import { useEnvironment } from "../shell/place.ts";
import { announceChange } from "../undo.tsx";
import { Differences } from "./Differences.tsx";
import { promote } from "./queries.ts";

interface PromoteDialogProps {
  readonly place: Place;
  readonly from: string;
  readonly opened: boolean;
  readonly flags: Comparison["flags"];
  readonly groups: Comparison["groups"];
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** What would change and whom it reaches, before anything is promoted. */
export function PromoteDialog(props: PromoteDialogProps) {
  const { environment } = useEnvironment();
  return (
    <Modal opened={props.opened} onClose={props.onClose} title={`Promote to ${environment?.name ?? props.place.environment}`} size="lg">
      {props.opened && <Preview {...props} isProduction={environment?.production ?? false} />}
    </Modal>
  );
}

/** Effects of so many flags are counted at once. */
const EFFECTS_MAX = 5;

function Preview({ place, from, flags, groups, isProduction, onClose, onDone }: PromoteDialogProps & { isProduction: boolean }) {
  const client = useQueryClient();
  const [reason, setReason] = useState("");
  const body: PromoteBody = {
    from,
    to: place.environment,
    flags: flags.map(({ key, etag }) => ({ key, ifMatch: etag })),
    groups: groups.map(({ key, etag }) => ({ key, ifMatch: etag })),
  };
  const preview = useQuery({
    queryKey: [...placeKey(place), "promote", body],
    queryFn: () => promote(place.project, { ...body, dryRun: true }),
    retry: false,
    staleTime: 0,
  });
  const refresh = () => client.invalidateQueries({ queryKey: placeKey(place) });
  const run = useMutation({
    mutationFn: () => promote(place.project, { ...body, ...(reason.trim() !== "" && { reason: reason.trim() }) }),
    onSuccess: async (done) => {
      await refresh();
      onDone();
      onClose();
      const what = [...flags, ...groups].length === 1 ? (flags[0] ?? groups[0])?.key : `${flags.length + groups.length} flags and groups`;
      announceChange({ title: `Promoted ${what} to ${place.environment}, as revision ${done.revision}`, undo: () => undo(done.revision) });
    },
    // What was compared is no longer so: the page behind shows what is.
    onError: (error) => void (error instanceof ApiError && error.status === 412 && refresh()),
  });

  async function undo(revision: number): Promise<void> {
    const target = { kind: "change", revision } as const;
    const { etag } = await revert(place, target, { dryRun: true });
    await revert(place, target, { ifMatch: etag });
    await refresh();
  }

  const killed = flags.filter(({ to }) => to.killed).map(({ key }) => key);
  const error = run.error ?? preview.error;
  return (
    <Stack>
      {isProduction && <div className="sb-production">PRODUCTION</div>}
      {flags.map((flag, index) => (
        <Stack gap={6} key={flag.key} component="section" aria-label={flag.key}>
          <Title order={3} size="h5">
            {flag.key}
          </Title>
          <Differences of={flag.differences} />
          {index < EFFECTS_MAX && flag.missingGroups.every((key) => !groups.some((group) => group.key === key)) && (
            <FlagEffect place={place} from={from} flag={flag.key} />
          )}
        </Stack>
      ))}
      {groups.map((group) => (
        <Stack gap={6} key={group.key}>
          <Title order={3} size="h5">
            Group {group.key}
          </Title>
          <Differences of={group.differences} />
        </Stack>
      ))}
      {killed.length > 0 && (
        <Alert color="orange" variant="outline">
          {killed.join(", ")} {killed.length === 1 ? "is" : "are"} killed in {place.environment} and{" "}
          {killed.length === 1 ? "stays" : "stay"} so.
        </Alert>
      )}
      <TextInput
        label="Reason"
        description="Kept in the history"
        maxLength={500}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      {error && (
        <Alert role="alert" color="red" variant="outline" title="It cannot be promoted like this">
          {sentenceOfError(error)}
        </Alert>
      )}
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button loading={run.isPending} disabled={!preview.isSuccess} onClick={() => run.mutate()}>
          {preview.data && !preview.data.changed ? "Nothing would change" : `Promote to ${place.environment}`}
        </Button>
      </Group>
    </Stack>
  );
}

/** Who gains and who loses it in the environment where it goes. */
function FlagEffect({ place, from, flag }: { place: Place; from: string; flag: string }) {
  const here = useQuery(flagQuery(place, flag));
  const there = useQuery(flagQuery({ ...place, environment: from }, flag));
  if (!here.data || !there.data) return <Text size="sm">Looking at whom it reaches…</Text>;
  return <Effect place={place} flag={here.data} configuration={there.data.configuration as ConfigurationPatch} />;
}
