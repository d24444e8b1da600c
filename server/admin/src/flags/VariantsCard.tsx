import { ActionIcon, Button, Group, Paper, Select, Stack, Text, TextInput, Title } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import { IssueText, useIssues } from "../problems.tsx";
import type { Edits, Fields } from "./draft.ts";
import { ValueField } from "./ValueField.tsx";
import { emptyValue, type FlagType, TYPE_WORDS, variantKeyProblem, variantNeededBy } from "./variants.ts";

interface VariantsCardProps {
  readonly type: FlagType;
  readonly fields: Fields;
  readonly onEdit: (edits: Edits) => void;
}

/** What a flag that is not just on or off can serve: its variants and their values, and the two that stand for on and off. */
export function VariantsCard({ type, fields, onEdit }: VariantsCardProps) {
  const names = Object.keys(fields.values);
  const issues = useIssues("values", { exactly: true });
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="variants">
      <Stack gap="sm">
        <Title order={2} size="h4" id="variants">
          Variants ({TYPE_WORDS[type]})
        </Title>
        {names.map((name) => (
          <Variant
            key={name}
            name={name}
            type={type}
            fields={fields}
            onChange={(value) => onEdit({ values: { ...fields.values, [name]: value } as Fields["values"] })}
            onRemove={() => {
              const { [name]: _, ...rest } = fields.values;
              onEdit({ values: rest });
            }}
          />
        ))}
        <IssueText issues={issues} />
        <NewVariant names={names} onAdd={(name) => onEdit({ values: { ...fields.values, [name]: emptyValue(type) } })} />
        <Group gap="md" align="flex-start">
          <Choice
            label="On variant"
            description="What everybody gets under “Everybody”, and new rules at first."
            field="on"
            fields={fields}
            onChange={(on) => onEdit({ on })}
          />
          <Choice
            label="Off variant"
            description="The safe value: whom no rule takes, and everybody after a kill."
            field="off"
            fields={fields}
            onChange={(off) => onEdit({ off })}
          />
        </Group>
        <Text size="xs" c="dimmed">
          Values, like rules, hold in this environment only.
        </Text>
      </Stack>
    </Paper>
  );
}

interface VariantProps {
  readonly name: string;
  readonly type: FlagType;
  readonly fields: Fields;
  readonly onChange: (value: unknown) => void;
  readonly onRemove: () => void;
}

function Variant({ name, type, fields, onChange, onRemove }: VariantProps) {
  const needed = variantNeededBy(name, fields);
  const issues = useIssues(`values.${name}`);
  return (
    <Group gap={8} align="flex-start" wrap="nowrap">
      <ValueField label={name} type={type} value={fields.values[name]} error={issues.join(" ")} onChange={onChange} />
      <ActionIcon
        variant="subtle"
        color="gray"
        mt={26}
        disabled={needed !== undefined}
        title={needed}
        aria-label={`Remove the variant ${name}${needed === undefined ? "" : `: ${needed}`}`}
        onClick={onRemove}
      >
        <IconTrash size={16} aria-hidden />
      </ActionIcon>
    </Group>
  );
}

function NewVariant({ names, onAdd }: { names: readonly string[]; onAdd: (name: string) => void }) {
  const [name, setName] = useState("");
  const problem = name === "" ? undefined : variantKeyProblem(name, names);
  function add() {
    if (variantKeyProblem(name, names) !== undefined) return;
    onAdd(name);
    setName("");
  }
  return (
    <Group gap={8} align="flex-start">
      <TextInput
        size="xs"
        flex="1 1 160px"
        maw={260}
        aria-label="Name of a new variant"
        placeholder="name of a new variant"
        autoCapitalize="none"
        spellCheck={false}
        value={name}
        error={problem}
        onChange={(event) => setName(event.currentTarget.value.trim())}
        onKeyDown={(event) => event.key === "Enter" && add()}
      />
      <Button
        size="xs"
        variant="default"
        leftSection={<IconPlus size={16} aria-hidden />}
        disabled={name === "" || problem !== undefined}
        onClick={add}
      >
        Add variant
      </Button>
    </Group>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly description: string;
  readonly field: "on" | "off";
  readonly fields: Fields;
  readonly onChange: (variant: string) => void;
}

function Choice({ label, description, field, fields, onChange }: ChoiceProps) {
  const issues = useIssues(field);
  return (
    <Select
      size="xs"
      flex="1 1 200px"
      maw={300}
      label={label}
      description={description}
      data={Object.keys(fields.values)}
      allowDeselect={false}
      value={fields[field]}
      error={issues.join(" ") || (fields.on === fields.off && "On and off are the same variant.")}
      onChange={(variant) => variant && onChange(variant)}
    />
  );
}
