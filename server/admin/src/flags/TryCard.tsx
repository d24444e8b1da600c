import { ActionIcon, Alert, Button, Group, Paper, SegmentedControl, Stack, Text, Textarea, TextInput, Title } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import type { ExplainBody, Explanation, Flag } from "../../../src/api-types.ts";
import { call, sentenceOfError } from "../api.ts";
import { type Place, pathOf, placeKey } from "../queries.ts";
import { type Edits, type Fields, splitEdits } from "./draft.ts";
import { StateChip } from "./StateChip.tsx";
import { Trace } from "./Trace.tsx";
import { type AttributeRow, type Context, contextOfJson, contextOfRows, kindOf, rowsOf, typedValue } from "./try-context.ts";

interface TryCardProps {
  readonly place: Place;
  readonly flag: Flag;
  readonly edits: Edits;
  readonly fields: Fields;
}

/** Explains the answer for one context, with the unsaved edits; it follows further edits by itself. */
export function TryCard({ place, flag, edits, fields }: TryCardProps) {
  const [asked, setAsked] = useState<Context>();
  const { configuration } = splitEdits(edits);
  const edited = Object.keys(configuration).length > 0;

  const answer = useQuery({
    queryKey: [...placeKey(place), "explain", flag.key, asked, configuration, flag.configurationEtag, flag.killed !== null],
    queryFn: ({ signal }) => {
      const body: ExplainBody = { flag: flag.key, context: asked ?? {}, ...(edited ? { configuration } : {}) };
      return call<Explanation>("POST", `${pathOf(place)}/explain`, { body, signal });
    },
    enabled: asked !== undefined,
    placeholderData: keepPreviousData,
    retry: false,
  });

  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="try">
      <Stack gap="sm">
        <Title order={2} size="h5" id="try">
          Try on a person
        </Title>
        <ContextForm onTry={setAsked} />
        <div aria-live="polite">
          {answer.isError && (
            <Alert color={edited ? "orange" : "red"} variant="outline" title={edited ? "These edits cannot be saved yet" : undefined}>
              {sentenceOfError(answer.error)}
            </Alert>
          )}
          {answer.data && asked && !answer.isError && (
            <Stack gap={4}>
              <Group gap="xs">
                <Text size="sm" fw={600}>
                  {String(asked.key ?? "Somebody without a key")} gets
                </Text>
                <Served evaluation={answer.data.evaluation} fields={fields} />
              </Group>
              <Text size="sm">{withCapital(answer.data.sentence)}</Text>
              {edited && (
                <Text size="sm" c="dimmed">
                  With your unsaved edits.
                </Text>
              )}
            </Stack>
          )}
        </div>
        {answer.data && asked && !answer.isError && <Trace explanation={answer.data} />}
      </Stack>
    </Paper>
  );
}

function ContextForm({ onTry }: { onTry: (context: Context) => void }) {
  const [form, setForm] = useState<"rows" | "json">("rows");
  const [key, setKey] = useState("");
  const [rows, setRows] = useState<readonly AttributeRow[]>([]);
  const [json, setJson] = useState("");
  const [problem, setProblem] = useState<string>();
  const label = useId();

  const read = () => (form === "rows" ? contextOfRows(key, rows) : contextOfJson(json));

  function submit(event: FormEvent) {
    event.preventDefault();
    const context = read();
    setProblem("problem" in context ? context.problem : undefined);
    if ("value" in context) onTry(context.value);
  }

  /** What was typed comes along, as far as it can be read. */
  function turnTo(next: "rows" | "json") {
    const context = read();
    if ("problem" in context) return setProblem(context.problem);
    setProblem(undefined);
    if (next === "json") setJson(Object.keys(context.value).length === 0 ? "" : JSON.stringify(context.value, null, 2));
    else {
      const known = rowsOf(context.value);
      setKey(known.key);
      setRows(known.rows.map((row, id) => ({ id, ...row })));
    }
    setForm(next);
  }

  function change(id: number, fields: Partial<AttributeRow>) {
    setRows(rows.map((row) => (row.id === id ? { ...row, ...fields } : row)));
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <SegmentedControl
          size="xs"
          aria-label="How to write the person"
          data={[
            { value: "rows", label: "Form" },
            { value: "json", label: "JSON" },
          ]}
          value={form}
          onChange={(next) => turnTo(next as "rows" | "json")}
        />
        {form === "json" ? (
          <Textarea
            label="Context (JSON)"
            placeholder={'{ "key": "4711", "plan": "pro" }'}
            autosize
            minRows={3}
            maxRows={12}
            value={json}
            styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } }}
            onChange={(event) => setJson(event.currentTarget.value)}
            error={problem}
          />
        ) : (
          <>
            <TextInput
              label="Key"
              placeholder="4711"
              autoComplete="off"
              value={key}
              onChange={(event) => setKey(event.currentTarget.value)}
            />
            {rows.length > 0 && (
              <Stack gap={6} role="group" aria-labelledby={label}>
                <Text size="sm" fw={500} id={label}>
                  Attributes
                </Text>
                {rows.map((row, index) => (
                  <Row
                    key={row.id}
                    row={row}
                    place={index + 1}
                    onChange={(fields) => change(row.id, fields)}
                    onRemove={() => setRows(rows.filter(({ id }) => id !== row.id))}
                  />
                ))}
              </Stack>
            )}
            {problem !== undefined && (
              <Text size="sm" c="var(--mantine-color-error)" role="alert">
                {problem}
              </Text>
            )}
          </>
        )}
        <Group gap="xs">
          <Button type="submit" size="xs" variant="default">
            Try
          </Button>
          {form === "rows" && (
            <Button
              size="xs"
              variant="subtle"
              leftSection={<IconPlus size={14} aria-hidden />}
              onClick={() => setRows([...rows, { id: Math.max(-1, ...rows.map(({ id }) => id)) + 1, name: "", text: "" }])}
            >
              Add attribute
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}

interface RowProps {
  readonly row: AttributeRow;
  readonly place: number;
  readonly onChange: (fields: Partial<AttributeRow>) => void;
  readonly onRemove: () => void;
}

function Row({ row, place, onChange, onRemove }: RowProps) {
  const value = typedValue(row.text);
  // Worth a word only where what is typed is not simply a text: 5 is a number, "5" is a text.
  const kind = value === row.text.trim() ? undefined : kindOf(value);
  return (
    <Group gap={6} wrap="nowrap" align="flex-start">
      <TextInput
        size="xs"
        aria-label={`Name of attribute ${place}`}
        placeholder="plan"
        autoComplete="off"
        style={{ flex: "2 1 0" }}
        value={row.name}
        onChange={(event) => onChange({ name: event.currentTarget.value })}
      />
      <TextInput
        size="xs"
        aria-label={`Value of attribute ${place}`}
        placeholder="pro"
        autoComplete="off"
        style={{ flex: "3 1 0" }}
        value={row.text}
        description={kind}
        inputWrapperOrder={["input", "description"]}
        onChange={(event) => onChange({ text: event.currentTarget.value })}
      />
      <ActionIcon variant="subtle" color="gray" aria-label={`Remove attribute ${row.name || place}`} onClick={onRemove}>
        <IconX size={16} aria-hidden />
      </ActionIcon>
    </Group>
  );
}

function Served({ evaluation, fields }: { evaluation: Explanation["evaluation"]; fields: Fields }) {
  if (!evaluation.served) return <StateChip state={{ word: "OFF", percentage: null, text: "its own default" }} />;
  const { variant = "" } = evaluation;
  const text = variant === "on" ? "ON" : variant === "off" ? "OFF" : variant;
  return <StateChip state={{ word: variant === fields.off ? "OFF" : "ON", percentage: null, text }} />;
}

function withCapital(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
