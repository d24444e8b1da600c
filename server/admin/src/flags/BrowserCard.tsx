import { Alert, Box, List, Paper, Stack, Switch, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { BrowserView, Flag } from "../../../src/api-types.ts";
import { sentenceOfError } from "../api.ts";
import { browserViewQuery, type Place } from "../queries.ts";
import { Ago } from "../time.tsx";
import type { Edits, Fields } from "./draft.ts";
import { withRuleNumbers } from "./rules.ts";

interface BrowserCardProps {
  readonly place: Place;
  readonly flag: Flag;
  readonly fields: Fields;
  readonly onEdit: (edits: Edits) => void;
}

/** Whether browsers are told of the flag, and then what exactly: the very entry that they get. */
export function BrowserCard({ place, flag, fields, onEdit }: BrowserCardProps) {
  const view = useQuery({ ...browserViewQuery(place, flag.key), enabled: flag.browser });
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="browsers">
      <Stack gap="sm">
        <Title order={2} size="h5" id="browsers">
          Browsers
        </Title>
        <Switch
          label="Visible in browsers"
          checked={fields.browser}
          onChange={(event) => onEdit({ browser: event.currentTarget.checked })}
        />
        <Text size="sm" c="dimmed">
          {fields.browser
            ? "Its key, rules and percentages are sent to browsers, where anybody can read them. It decides what people see, not what they may do: whoever runs the page can change it."
            : "Browsers are told nothing of this flag; there it answers with the default of the page."}
        </Text>
        {fields.browser && !flag.browser && (
          <Text size="sm" c="dimmed">
            Nothing is sent yet: that begins when it is saved.
          </Text>
        )}
        {!fields.browser && flag.browser && (
          <Text size="sm" c="dimmed">
            Until that is saved, browsers go on seeing what is below.
          </Text>
        )}
        {flag.browser && view.isError && <Text size="sm">{sentenceOfError(view.error)}</Text>}
        {flag.browser && view.data?.visible && <Seen view={view.data} />}
        {!fields.browser && flag.hiddenAsked && (
          <Alert color="orange" variant="outline">
            {flag.hiddenAsked.app} asked for it in a browser <Ago at={flag.hiddenAsked.at} />, although it is hidden.
          </Alert>
        )}
        {flag.browserObstacles.length > 0 && (
          <Alert
            color="orange"
            variant="outline"
            title={fields.browser && !flag.browser ? "This cannot be saved" : "It cannot be shown in browsers now"}
          >
            <List size="sm">
              {flag.browserObstacles.map((obstacle) => (
                <List.Item key={obstacle}>{withRuleNumbers(obstacle, flag.configuration.rules)}</List.Item>
              ))}
            </List>
          </Alert>
        )}
      </Stack>
    </Paper>
  );
}

const BYTES = new Intl.NumberFormat("en-US");

function Seen({ view }: { view: BrowserView }) {
  return (
    <Stack gap="sm">
      <Sentences
        title="Browsers are told"
        none="No condition: only key, variants, rules without their names, and percentages."
        sentences={view.told}
      />
      <Sentences
        title="The server answers"
        none="Nothing: no condition names people, customers or addresses, so pages ask for no facts."
        sentences={view.facts.map(({ number, sentence }) => `${sentence} (fact ${number})`)}
        note={
          view.secureMode
            ? "A page learns whether each holds for the context that your server has signed for it, and nothing else."
            : "A page learns whether each holds for the context that it names, and it may name any: secure mode, under Settings, asks for signed ones."
        }
      />
      <details>
        <Text component="summary" size="sm" style={{ cursor: "pointer" }}>
          Exactly what is sent ({BYTES.format(view.bytes)} bytes)
        </Text>
        <section aria-label="what is sent to browsers">
          <pre className="sb-code">{JSON.stringify(view.entry, null, 2)}</pre>
        </section>
      </details>
    </Stack>
  );
}

interface SentencesProps {
  readonly title: string;
  readonly none: string;
  readonly sentences: readonly string[];
  readonly note?: string;
}

function Sentences({ title, none, sentences, note }: SentencesProps) {
  return (
    <Box>
      <Title order={3} size="h6" mb={4}>
        {title}
      </Title>
      {sentences.length === 0 ? (
        <Text size="sm" c="dimmed">
          {none}
        </Text>
      ) : (
        <List size="sm">
          {sentences.map((sentence) => (
            <List.Item key={sentence}>{sentence}</List.Item>
          ))}
        </List>
      )}
      {sentences.length > 0 && note && (
        <Text size="xs" c="dimmed" mt={4}>
          {note}
        </Text>
      )}
    </Box>
  );
}
