import { Alert, Badge, Box, Group, Paper, Text, TextInput, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { sentenceOfError } from "../api.ts";
import { StateChip } from "../flags/StateChip.tsx";
import type { Place } from "../queries.ts";
import { AnchorLink } from "../shell/links.tsx";
import { stateThenQuery } from "./queries.ts";

interface AsItWasProps {
  readonly place: Place;
  /** A revision, a time as the field has it (`2026-12-01T18:00`), or nothing. */
  readonly when: number | string | undefined;
  readonly onChange: (when: string | undefined) => void;
}

/** All flags as they were at a time, or after a revision. */
export function AsItWas({ place, when, onChange }: AsItWasProps) {
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="as-it-was">
      <Title order={2} size="h4" id="as-it-was" mb="xs">
        As it was
      </Title>
      <TextInput
        type="datetime-local"
        label="At this time"
        description={typeof when === "number" ? `Shown now: after revision ${when}` : "Your local time"}
        maw={320}
        value={typeof when === "string" ? when : ""}
        onChange={(event) => onChange(event.currentTarget.value || undefined)}
      />
      {when !== undefined && <Flags place={place} when={typeof when === "number" ? when : new Date(when).toISOString()} />}
    </Paper>
  );
}

function Flags({ place, when }: { place: Place; when: number | string }) {
  const state = useQuery(stateThenQuery(place, when));
  if (state.isError) {
    return (
      <Alert color="orange" variant="outline" mt="sm">
        {sentenceOfError(state.error)}
      </Alert>
    );
  }
  if (!state.data) return <Text size="sm">Loading…</Text>;
  const { flags, total, revision } = state.data;
  return (
    <Box mt="sm">
      <Text size="sm" role="status">
        {total === 0 ? "There was no flag yet" : `${total} ${total === 1 ? "flag" : "flags"}`}, revision {revision}
      </Text>
      <Box component="ul" className="sb-list" aria-label="Flags as they were">
        {flags.map(({ key, state, archived }) => (
          <Box component="li" key={key} className="sb-row" py={6}>
            <Group justify="space-between" gap="xs">
              <AnchorLink to="/$project/$environment/flags/$flag" params={{ ...place, flag: key }} size="sm">
                {key}
              </AnchorLink>
              <StateChip state={state} archived={archived} />
            </Group>
          </Box>
        ))}
      </Box>
      {total > flags.length && (
        <Badge variant="outline" color="gray">
          the first {flags.length}
        </Badge>
      )}
    </Box>
  );
}
