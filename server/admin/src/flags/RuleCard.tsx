import { ActionIcon, Badge, Button, Collapse, Group, NumberInput, Paper, SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconChevronDown, IconChevronUp, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import type { Configuration, Group as GroupShape, Rule } from "../../../src/api-types.ts";
import { ConditionBuilder } from "../conditions/ConditionBuilder.tsx";
import { emptyLeaf } from "../conditions/edit.ts";
import { ruleSentence, servedWord } from "./changes.ts";
import { isDenial, singleGroup } from "./rules.ts";

interface RuleCardProps {
  readonly rule: Rule;
  readonly index: number;
  readonly count: number;
  readonly configuration: Configuration;
  readonly groups: readonly GroupShape[];
  readonly groupName: (key: string) => string;
  readonly changed: boolean;
  readonly startOpen: boolean;
  readonly onChange: (rule: Rule) => void;
  readonly onMove: (by: -1 | 1) => void;
  readonly onRemove: () => void;
}

/** One rule: a line to read, and behind "Edit" its conditions, percentage and what it serves. */
export function RuleCard({
  rule,
  index,
  count,
  configuration,
  groups,
  groupName,
  changed,
  startOpen,
  onChange,
  onMove,
  onRemove,
}: RuleCardProps) {
  const [open, setOpen] = useState(startOpen);
  const label = `Rule ${index + 1}`;
  const group = groups.find(({ key }) => key === singleGroup(rule));
  const denial = isDenial(rule, configuration);
  return (
    <Paper className="sb-card" p="sm" component="section" aria-label={label}>
      <Group justify="space-between" align="center" gap="xs">
        <Group gap={8} miw={0} flex="1 1 200px">
          <Text fw={700} size="sm" c="dimmed" aria-hidden>
            {index + 1}
          </Text>
          <Text size="sm" fw={600}>
            {ruleSentence(rule, configuration, groupName)}
          </Text>
          {denial && (
            <Badge color="red" variant="outline" size="sm" className="sb-denial">
              denial
            </Badge>
          )}
          {changed && (
            <Badge color="indigo" size="sm">
              unsaved
            </Badge>
          )}
          {group && group.kind !== "conditions" && (
            <Text size="xs" c="dimmed">
              {group.members} {group.kind === "early-access" ? "joined" : "listed"}
            </Text>
          )}
        </Group>
        <Group gap={0} wrap="nowrap" ml="auto">
          <ActionIcon variant="subtle" color="gray" disabled={index === 0} aria-label={`${label}: move up`} onClick={() => onMove(-1)}>
            <IconArrowUp size={16} aria-hidden />
          </ActionIcon>
          <ActionIcon
            variant="subtle"
            color="gray"
            disabled={index === count - 1}
            aria-label={`${label}: move down`}
            onClick={() => onMove(1)}
          >
            <IconArrowDown size={16} aria-hidden />
          </ActionIcon>
          <ActionIcon variant="subtle" color="gray" aria-label={`${label}: remove`} onClick={onRemove}>
            <IconTrash size={16} aria-hidden />
          </ActionIcon>
          <Button
            size="compact-sm"
            variant="subtle"
            aria-expanded={open}
            aria-label={`${label}: ${open ? "close" : "edit"}`}
            rightSection={open ? <IconChevronUp size={14} aria-hidden /> : <IconChevronDown size={14} aria-hidden />}
            onClick={() => setOpen(!open)}
          >
            {open ? "Close" : "Edit"}
          </Button>
        </Group>
      </Group>
      <Collapse expanded={open}>
        <RuleEditor rule={rule} index={index} label={label} configuration={configuration} groups={groups} onChange={onChange} />
      </Collapse>
    </Paper>
  );
}

interface EditorProps {
  readonly rule: Rule;
  readonly index: number;
  readonly label: string;
  readonly configuration: Configuration;
  readonly groups: readonly GroupShape[];
  readonly onChange: (rule: Rule) => void;
}

function RuleEditor({ rule, index, label, configuration, groups, onChange }: EditorProps) {
  return (
    <Stack gap="sm" pt="sm">
      {rule.when ? (
        <ConditionBuilder
          condition={rule.when}
          groups={groups}
          label={`${label} applies when`}
          path={`rules.${index}.when`}
          onChange={(when) => onChange({ ...rule, when })}
        />
      ) : (
        <Group gap="xs">
          <Text size="sm">For everyone.</Text>
          <Button size="compact-xs" variant="subtle" onClick={() => onChange({ ...rule, when: emptyLeaf() })}>
            Add a condition
          </Button>
        </Group>
      )}
      <Group gap="md" align="flex-end">
        <TextInput
          size="xs"
          label="Name of the rule (optional)"
          flex="1 1 160px"
          maw={260}
          maxLength={100}
          value={rule.name ?? ""}
          onChange={(event) => {
            const { name: _, ...rest } = rule;
            onChange(event.currentTarget.value === "" ? rest : { ...rest, name: event.currentTarget.value });
          }}
        />
        <NumberInput
          size="xs"
          label="Percentage of them"
          w={150}
          min={0}
          max={100}
          decimalScale={3}
          suffix=" %"
          clampBehavior="strict"
          value={rule.rollout?.percentage ?? 100}
          onChange={(value) => {
            if (typeof value !== "number") return;
            const { rollout, ...rest } = rule;
            const plain = rollout === undefined || Object.keys(rollout).length === 1;
            onChange(value === 100 && plain ? rest : { ...rest, rollout: { ...rollout, percentage: value } });
          }}
        />
        {rule.serve.kind === "variant" ? (
          <Stack gap={4}>
            <Text size="xs" fw={500} id={`${label}-serves`}>
              They get
            </Text>
            <SegmentedControl
              size="xs"
              aria-labelledby={`${label}-serves`}
              data={Object.keys(configuration.values)
                .sort((a, b) => rank(a, configuration) - rank(b, configuration))
                .map((variant) => ({ value: variant, label: variant === "on" ? "On" : variant === "off" ? "Off" : variant }))}
              value={rule.serve.variant}
              onChange={(variant) => onChange({ ...rule, serve: { kind: "variant", variant } })}
            />
          </Stack>
        ) : (
          <Text size="sm">They get {servedWord(rule, configuration)}.</Text>
        )}
      </Group>
      {isDenial(rule, configuration) && (
        <Text size="xs" c="dimmed">
          A denial applies unless its conditions are certainly false: also to people of whom the attribute is not known.
        </Text>
      )}
    </Stack>
  );
}

function rank(variant: string, { on, off }: Configuration): number {
  return variant === on ? 0 : variant === off ? 2 : 1;
}
