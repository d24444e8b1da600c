import { Button, Group, NumberInput, Paper, Select, Stack, TagsInput, Text, Textarea, TextInput, Title } from "@mantine/core";
import type { Flag } from "../../../src/api-types.ts";
import { useMayInProject } from "../shell/rights.tsx";
import type { Edits, Fields } from "./draft.ts";
import { LinksField } from "./LinksField.tsx";

interface DetailsCardProps {
  readonly flag: Flag;
  readonly fields: Fields;
  readonly onEdit: (edits: Edits) => void;
  /** Asked for here, done by the page: in every environment at once. */
  readonly onEnd: (how: "archive" | "revive" | "delete") => void;
}

const KINDS = [
  { value: "release", label: "release: goes when everybody has it" },
  { value: "experiment", label: "experiment: goes when it is decided" },
  { value: "ops", label: "ops: a switch that stays" },
  { value: "permission", label: "permission: who may what" },
];

function lifeWords({ createdAt, stale }: Flag, days: number | null): string {
  if (days === null) return "How many days after it was made it should be gone";
  const end = new Date(createdAt + days * 86_400_000).toLocaleDateString();
  return stale ? `Until ${end}, which is over` : `Until ${end}`;
}

/** What the flag is called, in all environments; and its place in the archive of this one. */
export function DetailsCard({ flag, fields, onEdit, onEnd }: DetailsCardProps) {
  const mayEdit = useMayInProject()("edit");
  const isGone = flag.environments.every(({ archived }) => archived);
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="details">
      <Stack gap="sm">
        <Title order={2} size="h4" id="details">
          Details
        </Title>
        <TextInput label="Name" maxLength={200} value={fields.name} onChange={(event) => onEdit({ name: event.currentTarget.value })} />
        <Textarea
          label="Description"
          autosize
          minRows={2}
          maxLength={5000}
          value={fields.description}
          onChange={(event) => onEdit({ description: event.currentTarget.value })}
        />
        <Group grow align="flex-start">
          <TagsInput
            label="Tags"
            description="Enter after each"
            acceptValueOnBlur
            maxTags={50}
            value={[...fields.tags]}
            onChange={(tags) => onEdit({ tags })}
          />
          <TextInput
            label="Owner"
            description="Whom to ask"
            maxLength={100}
            value={fields.owner ?? ""}
            onChange={(event) => onEdit({ owner: event.currentTarget.value === "" ? null : event.currentTarget.value })}
          />
        </Group>
        <Group grow align="flex-start">
          <Select
            label="Kind"
            description="What it is for"
            allowDeselect={false}
            data={KINDS}
            value={fields.kind}
            onChange={(value) => value && onEdit({ kind: value as Fields["kind"] })}
          />
          <NumberInput
            label="Expected life"
            description={lifeWords(flag, fields.expectedDays)}
            placeholder="it stays"
            min={1}
            max={3650}
            allowDecimal={false}
            suffix={fields.expectedDays === 1 ? " day" : " days"}
            value={fields.expectedDays ?? ""}
            onChange={(value) => onEdit({ expectedDays: typeof value === "number" ? value : null })}
          />
        </Group>
        <LinksField links={fields.links} onChange={(links) => onEdit({ links })} />
        <Text size="xs" c="dimmed">
          Made by {flag.createdBy} on {new Date(flag.createdAt).toLocaleDateString()}. All of this holds in every environment.
        </Text>
        <Group justify="space-between" gap="sm">
          <Text size="sm" c="dimmed" flex="1 1 200px">
            {fields.archived
              ? "Archived here: everybody gets the off variant, and it is not in the list."
              : "Archiving takes it off the list of this environment; everybody gets the off variant."}
          </Text>
          <Button size="xs" variant="default" onClick={() => onEdit({ archived: !fields.archived })}>
            {fields.archived ? "Take out of the archive" : "Archive"}
          </Button>
        </Group>
        {mayEdit && (
          <Group gap="xs" justify="flex-end">
            <Button size="xs" variant="default" onClick={() => onEnd(isGone ? "revive" : "archive")}>
              {isGone ? "Take out of the archive everywhere" : "Archive everywhere"}
            </Button>
            <Button size="xs" variant="default" onClick={() => onEnd("delete")}>
              Delete
            </Button>
          </Group>
        )}
      </Stack>
    </Paper>
  );
}
