import { Alert, Anchor, Button, Checkbox, FileButton, Group, List, Paper, Radio, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Group as GroupShape, ListMode, MembersImported } from "../../../src/api-types.ts";
import { call, sentenceOfError } from "../api.ts";
import { groupPath, type Place, placeKey } from "../queries.ts";
import { useMay } from "../shell/rights.tsx";
import { announceChange, sayProblem } from "../undo.tsx";

const FILE_BYTES_MAX = 32 * 1024 * 1024;
const NAMED_MAX = 5;

interface Wish {
  readonly mode: ListMode;
  readonly column: string;
  readonly rejoin: boolean;
}

const MODES: readonly { readonly value: ListMode; readonly label: string; readonly description: string }[] = [
  { value: "add", label: "Add", description: "its keys come in, the others stay" },
  { value: "replace", label: "Replace", description: "the file is the whole list afterwards" },
  { value: "remove", label: "Remove", description: "its keys go" },
];

/** Members as a CSV file: out, and in after a look at who would come and go. */
export function ImportCard({ place, group }: { place: Place; group: GroupShape }) {
  const client = useQueryClient();
  const may = useMay();
  const [file, setFile] = useState<{ readonly file: File; readonly turn: number }>();
  const [wish, setWish] = useState<Wish>({ mode: "add", column: "", rejoin: false });
  const [typed, setTyped] = useState("");
  const path = `${groupPath(place, group.key)}/members`;

  function send(content: File, dryRun: boolean, signal?: AbortSignal): Promise<MembersImported> {
    const { mode, column, rejoin } = wish;
    const query = new URLSearchParams({
      mode,
      ...(column.trim() !== "" && { column: column.trim() }),
      rejoin: String(rejoin),
      dryRun: String(dryRun),
    });
    return call("POST", `${path}/csv?${query}`, { file: { content, type: "text/csv" }, ...(signal && { signal }) });
  }

  const preview = useQuery({
    queryKey: [...placeKey(place), "members-csv", group.key, wish, file?.turn],
    queryFn: ({ signal }) => send(file?.file ?? new File([], ""), true, signal),
    enabled: file !== undefined,
    retry: false,
    staleTime: 0,
    gcTime: 0,
  });
  const run = useMutation({
    mutationFn: (content: File) => send(content, false),
    onSuccess: async ({ coming, going }) => {
      setFile(undefined);
      setTyped("");
      await client.invalidateQueries({ queryKey: placeKey(place) });
      announceChange({ title: `${group.key}: ${many(coming.count)} came, ${many(going.count)} went` });
    },
  });

  function take(chosen: File | null): void {
    if (!chosen) return;
    run.reset();
    if (chosen.size <= FILE_BYTES_MAX) setFile({ file: chosen, turn: Date.now() });
    else sayProblem("Not read", new Error(`${chosen.name} has more than 32 MiB, the most that a list may have.`));
  }

  const { data } = preview;
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="csv">
      <Stack gap="md">
        <Group justify="space-between">
          <Title order={2} size="h4" id="csv">
            As a CSV file
          </Title>
          <Anchor href={`${path}.csv`} download={`${group.key}-${place.environment}.csv`} size="sm">
            Download the members
          </Anchor>
        </Group>
        <Radio.Group label="What a file does" value={wish.mode} onChange={(value) => setWish({ ...wish, mode: value as ListMode })}>
          <Stack gap="xs" mt={6}>
            {MODES.map((mode) => (
              <Radio key={mode.value} {...mode} />
            ))}
          </Stack>
        </Radio.Group>
        <TextInput
          label="Column"
          description="The name in the first line of the column of keys; empty for the first column"
          value={wish.column}
          maxLength={200}
          onChange={(event) => setWish({ ...wish, column: event.currentTarget.value })}
        />
        <Group>
          <FileButton accept="text/csv,text/plain,.csv,.txt" onChange={take} disabled={!may("edit")}>
            {(props) => (
              <Button {...props} variant="default" disabled={!may("edit")}>
                Choose a CSV file
              </Button>
            )}
          </FileButton>
          {file && <Text size="sm">{file.file.name}</Text>}
        </Group>
        <div aria-live="polite">
          {file && preview.isFetching && <Text size="sm">Looking at what it would do…</Text>}
          {file && preview.isError && (
            <Alert role="alert" color="red" variant="outline">
              {sentenceOfError(preview.error)}
            </Alert>
          )}
          {file && data && !preview.isFetching && <Preview of={data} />}
        </div>
        {file && data && data.keptOut.count > 0 && (
          <Checkbox
            label={`Add also the ${many(data.keptOut.count)} who have left early access by themselves`}
            checked={wish.rejoin}
            onChange={(event) => setWish({ ...wish, rejoin: event.currentTarget.checked })}
          />
        )}
        {file && data && data.badLines === 0 && data.changed && (
          <>
            {wish.mode === "replace" && (
              <TextInput
                label={`Type ${group.key} to replace the list`}
                autoCapitalize="none"
                spellCheck={false}
                value={typed}
                onChange={(event) => setTyped(event.currentTarget.value)}
              />
            )}
            {run.isError && (
              <Alert role="alert" color="red" variant="outline">
                {sentenceOfError(run.error)}
              </Alert>
            )}
            <Group>
              <Button
                loading={run.isPending}
                disabled={preview.isFetching || (wish.mode === "replace" && typed !== group.key)}
                onClick={() => run.mutate(file.file)}
              >
                {`${MODES.find(({ value }) => value === wish.mode)?.label} in ${place.environment}`}
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

function Preview({ of }: { of: MembersImported }) {
  const { coming, going, keptOut, members, badLines, bad, changed } = of;
  return (
    <Stack gap="xs">
      {badLines > 0 && (
        <Alert role="alert" color="red" variant="outline" title={`${many(badLines)} ${badLines === 1 ? "line" : "lines"} cannot be taken`}>
          <List size="sm">
            {bad.map(({ line, message }) => (
              <List.Item key={line}>
                line {line} {message}
              </List.Item>
            ))}
          </List>
          {badLines > bad.length && <Text size="sm">and {many(badLines - bad.length)} more</Text>}
        </Alert>
      )}
      <Text size="sm">
        {changed
          ? `${some("would come", coming)}; ${some("would go", going)}; ${many(members)} afterwards.`
          : "Everybody is where they should be already."}
      </Text>
      {keptOut.count > 0 && <Text size="sm">{some("would stay out, having left by themselves", keptOut)}.</Text>}
    </Stack>
  );
}

/** `3 would come (ann, bob, cy)`. */
function some(what: string, { count, first }: MembersImported["coming"]): string {
  const named = first.slice(0, NAMED_MAX);
  const more = count > named.length ? "…" : "";
  return `${many(count)} ${what}${count > 0 ? ` (${named.join(", ")}${more})` : ""}`;
}

function many(count: number): string {
  return count.toLocaleString("en-US");
}
