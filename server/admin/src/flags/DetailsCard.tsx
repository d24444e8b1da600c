import { Button, Group, Paper, Stack, TagsInput, Text, Textarea, TextInput, Title } from "@mantine/core";
import type { Flag } from "../../../src/api-types.ts";
import type { Edits, Fields } from "./draft.ts";

interface DetailsCardProps {
  readonly flag: Flag;
  readonly fields: Fields;
  readonly onEdit: (edits: Edits) => void;
}

/** What the flag is called, in all environments; and its place in the archive of this one. */
export function DetailsCard({ flag, fields, onEdit }: DetailsCardProps) {
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
        <Text size="xs" c="dimmed">
          Made by {flag.createdBy} on {new Date(flag.createdAt).toLocaleDateString()}. Name, description, tags and owner hold in every
          environment.
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
      </Stack>
    </Paper>
  );
}
