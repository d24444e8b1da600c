import { Alert, List, Paper, Stack, Switch, Text, Title } from "@mantine/core";
import type { Flag } from "../../../src/api-types.ts";
import { Ago } from "../time.tsx";
import type { Edits, Fields } from "./draft.ts";
import { withRuleNumbers } from "./rules.ts";

interface BrowserCardProps {
  readonly flag: Flag;
  readonly fields: Fields;
  readonly onEdit: (edits: Edits) => void;
}

export function BrowserCard({ flag, fields, onEdit }: BrowserCardProps) {
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
            ? "Its key, rules and percentages are sent to browsers, where anybody can read them. It decides what people see, not what they may do."
            : "Browsers are told nothing of this flag; there it answers with the default of the page."}
        </Text>
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
