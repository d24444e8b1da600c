import { Alert, Button, Collapse, Group, List, Stack, Text, Textarea, Title } from "@mantine/core";
import { IconArrowDown, IconArrowsExchange, IconArrowUp } from "@tabler/icons-react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { ConfigurationPatch, EffectAnswer, EffectBody, Flag } from "../../../src/api-types.ts";
import { call, sentenceOfError } from "../api.ts";
import { type Place, pathOf, placeKey } from "../queries.ts";
import { type Context, contextsOf } from "./try-context.ts";

/** As many as can be compared. */
const MADE_UP = 10_000;

/** For whom is compared: contexts that were pasted, made-up users, or whatever the server has. `turn` stands for the list in the query's key. */
interface Given {
  readonly turn: number;
  readonly contexts?: readonly Context[];
  readonly madeUp?: true;
}

interface EffectProps {
  readonly place: Place;
  readonly flag: Flag;
  /** The unsaved edits; without one there is nothing to tell. */
  readonly configuration: ConfigurationPatch;
}

/** Who gains and who loses the flag by the edits: for made-up users, and for contexts that are pasted. Saving never waits for it. */
export function Effect({ place, flag, configuration }: EffectProps) {
  /** `turn` stands for the list in the query's key, which is made into a text at each rendering. */
  const [given, setGiven] = useState<Given>({ turn: 0 });
  const { contexts, madeUp } = given;
  const setContexts = (next: readonly Context[]) => setGiven({ turn: Date.now(), contexts: next });
  const [opened, setOpened] = useState(false);
  const isEdited = Object.keys(configuration).length > 0;

  const answer = useQuery({
    queryKey: [...placeKey(place), "effect", flag.key, configuration, flag.configurationEtag, flag.killed !== null, given.turn],
    queryFn: ({ signal }) => {
      const body: EffectBody = {
        flag: flag.key,
        configuration,
        ...(contexts ? { contexts: [...contexts] } : madeUp ? { sample: MADE_UP } : {}),
      };
      return call<EffectAnswer>("POST", `${pathOf(place)}/effect`, { body, signal });
    },
    enabled: isEdited,
    placeholderData: keepPreviousData,
    retry: false,
  });

  if (!isEdited) return null;
  return (
    <Stack gap={8} component="section" aria-labelledby="effect">
      <Title order={3} size="h5" id="effect">
        Who gains and who loses it
      </Title>
      <div aria-live="polite">
        {answer.isError ? (
          <Alert color="orange" variant="outline">
            {sentenceOfError(answer.error)}
          </Alert>
        ) : answer.data ? (
          <Stack gap={6} style={{ opacity: answer.isPlaceholderData ? 0.6 : 1 }}>
            <Text size="sm">{answer.data.sentence}</Text>
            {!answer.data.madeUp && <Examples answer={answer.data} />}
          </Stack>
        ) : (
          <Text size="sm" c="dimmed">
            Counting…
          </Text>
        )}
      </div>
      <Group gap="xs">
        <Button size="compact-xs" variant="subtle" aria-expanded={opened} onClick={() => setOpened(!opened)}>
          Compare with your own contexts
        </Button>
        {(contexts || madeUp) && (
          <Button size="compact-xs" variant="subtle" onClick={() => setGiven({ turn: 0 })}>
            Compare as before
          </Button>
        )}
        {answer.data?.sampled && !contexts && !madeUp && (
          <Button size="compact-xs" variant="subtle" onClick={() => setGiven({ turn: 1, madeUp: true })}>
            Compare with made-up users
          </Button>
        )}
      </Group>
      <Collapse expanded={opened}>
        <ContextsForm onCompare={setContexts} />
      </Collapse>
    </Stack>
  );
}

function ContextsForm({ onCompare }: { onCompare: (contexts: readonly Context[]) => void }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string>();

  function submit(event: FormEvent) {
    event.preventDefault();
    const read = contextsOf(text);
    setProblem("problem" in read ? read.problem : undefined);
    if ("value" in read) onCompare(read.value);
  }

  return (
    <form onSubmit={submit}>
      <Stack gap={8}>
        <Textarea
          label="Contexts"
          description="A JSON list, or one JSON object on each line; at most 10,000"
          placeholder={'{ "key": "4711", "plan": "pro" }\n{ "key": "4712" }'}
          autosize
          minRows={3}
          maxRows={10}
          styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } }}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          error={problem}
        />
        <Group>
          <Button type="submit" size="xs" variant="default">
            Compare
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

const KINDS = [
  { kind: "gains", icon: IconArrowUp, words: "Gain it" },
  { kind: "loses", icon: IconArrowDown, words: "Lose it" },
  { kind: "changes", icon: IconArrowsExchange, words: "Get another variant" },
] as const;
const EXAMPLES_SHOWN = 5;

function Examples({ answer }: { answer: EffectAnswer }) {
  return KINDS.map(({ kind, icon: Icon, words }) => {
    const examples = answer.examples[kind].slice(0, EXAMPLES_SHOWN);
    if (examples.length === 0) return null;
    const more = answer.counts[kind] - examples.length;
    return (
      <div key={kind}>
        <Group gap={6}>
          <Icon size={16} aria-hidden />
          <Text size="sm" fw={600}>
            {words}: {answer.counts[kind].toLocaleString("en-US")}
          </Text>
        </Group>
        <List size="xs" spacing={4}>
          {examples.map(({ index, key, before, after, sentence }) => (
            <List.Item key={index}>
              <b>{key ?? `Context ${index + 1}`}</b>: {before ?? "its own default"} → {after ?? "its own default"}
              {sentence && <span className="sb-trace-held">; {sentence}</span>}
            </List.Item>
          ))}
          {more > 0 && <List.Item>and {more.toLocaleString("en-US")} more</List.Item>}
        </List>
      </div>
    );
  });
}
