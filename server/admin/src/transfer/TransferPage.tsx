import { Alert, Anchor, Box, Button, FileButton, Group, List, Paper, Radio, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { ProjectImported } from "../../../src/api-types.ts";
import { projectPath, sentenceOfError } from "../api.ts";
import type { Place } from "../queries.ts";
import { useEnvironment, usePlace, useTitle } from "../shell/place.ts";
import { announceChange, sayProblem } from "../undo.tsx";
import { Differences } from "./Differences.tsx";
import { importFile } from "./queries.ts";

const FILE_BYTES_MAX = 32 * 1024 * 1024;
const SHOWN_MAX = 50;

/** The project as one file, out and in. */
export function TransferPage() {
  const place = usePlace();
  useTitle("Import and export", place.project);
  return (
    <Stack gap="lg">
      <Title order={1} size="h2">
        Import and export
      </Title>
      <ExportCard place={place} />
      <ImportCard place={place} />
    </Stack>
  );
}

const MEMBERS = [
  { value: "none", label: "Not told", description: "flags, rules and groups, and nobody's key" },
  { value: "hashes", label: "As hashes", description: "to compare two files; an import leaves members as they are" },
  { value: "clear", label: "In the clear", description: "to bring them along; for admins of every environment" },
] as const;

function ExportCard({ place }: { place: Place }) {
  const { project } = useEnvironment();
  const [members, setMembers] = useState<string>("none");
  const isAdmin = project?.environments.every(({ may }) => may.includes("admin")) ?? false;
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="export">
      <Stack>
        <Title order={2} size="h4" id="export">
          Export
        </Title>
        <Text size="sm">
          All of {project?.name ?? place.project} that you may read, as one JSON file. The same state gives the same file, so it can be kept
          in a repository. No keys and no secrets are in it.
        </Text>
        <Radio.Group label="Who is in groups" value={members} onChange={setMembers}>
          <Stack gap="xs" mt={6}>
            {MEMBERS.map(({ value, label, description }) => (
              <Radio key={value} value={value} label={label} description={description} disabled={value === "clear" && !isAdmin} />
            ))}
          </Stack>
        </Radio.Group>
        <Anchor href={`${projectPath(place.project)}/export?members=${members}`} download={`${place.project}.signalbox.json`}>
          Download {place.project}.signalbox.json
        </Anchor>
      </Stack>
    </Paper>
  );
}

function ImportCard({ place }: { place: Place }) {
  const client = useQueryClient();
  const [file, setFile] = useState<{ readonly file: File; readonly turn: number }>();
  const [mode, setMode] = useState<"merge" | "replace">("merge");
  const [typed, setTyped] = useState("");
  const [reason, setReason] = useState("");
  const preview = useQuery({
    queryKey: ["import", place.project, mode, file?.turn],
    queryFn: ({ signal }) => importFile(place.project, { file: file?.file ?? new File([], ""), mode, dryRun: true }, signal),
    enabled: file !== undefined,
    retry: false,
    staleTime: 0,
    gcTime: 0,
  });
  const run = useMutation({
    mutationFn: (chosen: File) =>
      importFile(place.project, { file: chosen, mode, dryRun: false, ...(reason.trim() && { reason: reason.trim() }) }),
    onSuccess: async (done) => {
      setFile(undefined);
      setTyped("");
      await client.invalidateQueries();
      announceChange({ title: done.changed ? `Imported: ${summary(done)}` : "It was as the file says already" });
    },
  });

  function take(chosen: File | null): void {
    if (!chosen) return;
    run.reset();
    if (chosen.size <= FILE_BYTES_MAX) setFile({ file: chosen, turn: Date.now() });
    else sayProblem("Not read", new Error(`${chosen.name} has more than 32 MiB, the most that an import may have.`));
  }

  const { data } = preview;
  const isTyped = mode === "merge" || typed === place.project;
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="import">
      <Stack>
        <Title order={2} size="h4" id="import">
          Import
        </Title>
        <Radio.Group label="What becomes of what the file does not name" value={mode} onChange={(value) => setMode(value as typeof mode)}>
          <Stack gap="xs" mt={6}>
            <Radio value="merge" label="It stays" description="the file adds and changes what it names" />
            <Radio value="replace" label="It goes" description="flags are archived, groups are deleted, lists are what the file says" />
          </Stack>
        </Radio.Group>
        <Group>
          <FileButton accept="application/json,.json" onChange={take}>
            {(props) => (
              <Button {...props} variant="default">
                Choose a file
              </Button>
            )}
          </FileButton>
          {file && <Text size="sm">{file.file.name}</Text>}
        </Group>
        <Box aria-live="polite">
          {file && preview.isFetching && <Text size="sm">Looking at what it would do…</Text>}
          {file && preview.isError && (
            <Alert role="alert" color="red" variant="outline">
              {sentenceOfError(preview.error)}
            </Alert>
          )}
          {file && data && !preview.isFetching && <Planned of={data} />}
        </Box>
        {file && data && data.refused === 0 && data.changed && (
          <>
            {mode === "replace" && (
              <TextInput
                label={`Type ${place.project} to replace what is there`}
                autoCapitalize="none"
                spellCheck={false}
                value={typed}
                onChange={(event) => setTyped(event.currentTarget.value)}
              />
            )}
            <TextInput
              label="Reason"
              description="Kept in the history"
              maxLength={500}
              value={reason}
              onChange={(event) => setReason(event.currentTarget.value)}
            />
            {run.isError && (
              <Alert role="alert" color="red" variant="outline">
                {sentenceOfError(run.error)}
              </Alert>
            )}
            <Group>
              <Button loading={run.isPending} disabled={!isTyped || preview.isFetching} onClick={() => run.mutate(file.file)}>
                Import into {place.project}
              </Button>
              <Button variant="default" onClick={() => setFile(undefined)}>
                Cancel
              </Button>
            </Group>
          </>
        )}
      </Stack>
    </Paper>
  );
}

function Planned({ of }: { of: ProjectImported }) {
  const { changes, refusals, refused, notes, changed } = of;
  return (
    <Stack gap="sm">
      {refused > 0 && (
        <Alert
          role="alert"
          color="red"
          variant="outline"
          title={`It would be refused, for ${refused} ${refused === 1 ? "reason" : "reasons"}`}
        >
          <Places of={refusals} more={refused - refusals.length} />
        </Alert>
      )}
      {notes.length > 0 && (
        <Alert color="orange" variant="outline" title="What is not taken over">
          <Places of={notes.slice(0, SHOWN_MAX)} more={notes.length - Math.min(notes.length, SHOWN_MAX)} />
        </Alert>
      )}
      {refused === 0 && (
        <Text size="sm" fw={600}>
          {changed ? `Would be ${summary(of)}:` : "It is as the file says already: nothing would change."}
        </Text>
      )}
      <Box component="ul" className="sb-list" aria-label="What would change">
        {changes.slice(0, SHOWN_MAX).map(({ what, kind, key, environment, differences, members }) => (
          <Box component="li" className="sb-row" py={4} key={`${kind} ${key} ${environment ?? ""} ${what}`}>
            <Text size="sm">
              {what}: {kind} <code>{key}</code>
              {environment !== null && kind !== "settings" ? ` in ${environment}` : ""}
              {members && ` (${members.coming.toLocaleString("en-US")} come, ${members.going.toLocaleString("en-US")} go)`}
            </Text>
            <Differences of={differences} />
          </Box>
        ))}
      </Box>
      {countOf(of) > SHOWN_MAX && <Text size="sm">and {(countOf(of) - SHOWN_MAX).toLocaleString("en-US")} more</Text>}
    </Stack>
  );
}

function Places({ of, more }: { of: ProjectImported["refusals"]; more: number }) {
  return (
    <List size="sm">
      {of.map(({ pointer, message }) => (
        <List.Item key={`${pointer} ${message}`} style={{ overflowWrap: "anywhere" }}>
          {pointer !== "" && <code>{pointer}</code>} {message}
        </List.Item>
      ))}
      {more > 0 && <List.Item>and {more} more</List.Item>}
    </List>
  );
}

function countOf({ totals }: ProjectImported): number {
  return Object.values(totals).reduce((sum, counts) => sum + Object.values(counts).reduce((a, b) => a + b, 0), 0);
}

/** `3 created, 1 changed`. */
function summary({ totals }: ProjectImported): string {
  const words = ["created", "changed", "archived", "deleted"] as const;
  return words
    .map((word) => [word, Object.values(totals).reduce((sum, counts) => sum + counts[word], 0)] as const)
    .filter(([, count]) => count > 0)
    .map(([word, count]) => `${count.toLocaleString("en-US")} ${word}`)
    .join(", ");
}
