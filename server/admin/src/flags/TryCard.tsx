import { Alert, Button, Group, JsonInput, Paper, Stack, Text, TextInput, Title } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { EvaluateBody, EvaluationAnswer, Flag } from "../../../src/api-types.ts";
import { call, sentenceOfError } from "../api.ts";
import { type Place, pathOf, placeKey } from "../queries.ts";
import type { GroupName } from "./changes.ts";
import { type Edits, type Fields, splitEdits } from "./draft.ts";
import { reasonWords } from "./reasons.ts";
import { StateChip } from "./StateChip.tsx";

interface TryCardProps {
  readonly place: Place;
  readonly flag: Flag;
  readonly edits: Edits;
  readonly fields: Fields;
  readonly groupName: GroupName;
}

/** Evaluates the flag for one context, with the unsaved edits; the answer follows further edits by itself. */
export function TryCard({ place, flag, edits, fields, groupName }: TryCardProps) {
  const [key, setKey] = useState("");
  const [attributes, setAttributes] = useState("");
  const [asked, setAsked] = useState<Record<string, unknown>>();
  const [problem, setProblem] = useState<string>();
  const { configuration } = splitEdits(edits);
  const edited = Object.keys(configuration).length > 0;

  const answer = useQuery({
    queryKey: [...placeKey(place), "evaluate", flag.key, asked, configuration, flag.configurationEtag],
    queryFn: ({ signal }) => {
      const body: EvaluateBody = { flag: flag.key, context: asked ?? {}, ...(edited ? { configuration } : {}) };
      return call<EvaluationAnswer>("POST", `${pathOf(place)}/evaluate`, { body, signal });
    },
    enabled: asked !== undefined,
    placeholderData: keepPreviousData,
    retry: false,
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    const parsed = contextOf(key, attributes);
    if (typeof parsed === "string") return setProblem(parsed);
    setProblem(undefined);
    setAsked(parsed);
  }

  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="try">
      <form onSubmit={submit}>
        <Stack gap="sm">
          <Title order={2} size="h5" id="try">
            Try on a person
          </Title>
          <TextInput
            label="Key"
            placeholder="4711"
            autoComplete="off"
            value={key}
            onChange={(event) => setKey(event.currentTarget.value)}
          />
          <JsonInput
            label="Attributes (JSON)"
            placeholder={'{ "email": "ana@example.com" }'}
            autosize
            minRows={2}
            value={attributes}
            onChange={setAttributes}
            error={problem}
          />
          <Group>
            <Button type="submit" size="xs" variant="default">
              Try
            </Button>
          </Group>
          <div aria-live="polite">
            {answer.isError && (
              <Alert color="red" variant="outline">
                {sentenceOfError(answer.error)}
              </Alert>
            )}
            {answer.data && asked && !answer.isError && (
              <Stack gap={4}>
                <Group gap="xs">
                  <Text size="sm" fw={600}>
                    {String(asked.key ?? "Somebody without a key")} gets
                  </Text>
                  <Served answer={answer.data} fields={fields} />
                </Group>
                <Text size="sm" c="dimmed">
                  {reasonWords(answer.data, fields, groupName)}
                  {edited && " With your unsaved edits."}
                </Text>
              </Stack>
            )}
          </div>
        </Stack>
      </form>
    </Paper>
  );
}

function Served({ answer, fields }: { answer: EvaluationAnswer; fields: Fields }) {
  if (!answer.served) return <StateChip state={{ word: "OFF", percentage: null, text: "its own default" }} />;
  const off = answer.variant === fields.off;
  const text = answer.variant === "on" ? "ON" : answer.variant === "off" ? "OFF" : (answer.variant ?? "");
  return <StateChip state={{ word: off ? "OFF" : "ON", percentage: null, text }} />;
}

/** The context of the form, or what is wrong with it. */
function contextOf(key: string, attributes: string): Record<string, unknown> | string {
  let parsed: unknown = {};
  if (attributes.trim() !== "") {
    try {
      parsed = JSON.parse(attributes);
    } catch {
      return 'Attributes are JSON, such as { "email": "ana@example.com" }.';
    }
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return "Attributes are one JSON object in braces.";
  return key.trim() === "" ? { ...parsed } : { ...parsed, key: key.trim() };
}
