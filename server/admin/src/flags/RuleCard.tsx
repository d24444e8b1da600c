import { ActionIcon, Badge, Button, Collapse, Group, Paper, Text } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconChevronDown, IconChevronUp, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import type { Configuration, Group as GroupShape, Rule } from "../../../src/api-types.ts";
import { useIssues } from "../problems.tsx";
import { ruleSentence } from "./changes.ts";
import { RuleEditor } from "./RuleEditor.tsx";
import { isDenial, singleGroup } from "./rules.ts";

interface RuleCardProps {
  readonly rule: Rule;
  /** As it is saved; undefined for a new one. */
  readonly saved: Rule | undefined;
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
  saved,
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
  const path = `rules.${index}`;
  const isRefused = useIssues(path).length > 0;
  const [chosen, setChosen] = useState<boolean>();
  // What the server refused is shown at its field until somebody closes it.
  const open = chosen ?? (startOpen || isRefused);
  const label = `Rule ${index + 1}`;
  const group = groups.find(({ key }) => key === singleGroup(rule));
  const denial = isDenial(rule, configuration);
  return (
    <Paper className="sb-card" p="sm" component="section" aria-label={label}>
      <Group justify="space-between" align="center" gap="xs">
        <Group gap={8} miw={0} flex="1 1 200px">
          <Text size="sm" fw={600}>
            <Text component="span" size="sm" fw={700} c="dimmed" mr={8} aria-hidden>
              {index + 1}
            </Text>
            {ruleSentence(rule, configuration, groupName)}
          </Text>
          {denial && (
            <Badge color="red" variant="outline" size="sm" className="sb-denial">
              denial
            </Badge>
          )}
          {isRefused && (
            <Badge color="red" variant="outline" size="sm" className="sb-denial">
              refused
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
            onClick={() => setChosen(!open)}
          >
            {open ? "Close" : "Edit"}
          </Button>
        </Group>
      </Group>
      <Collapse expanded={open}>
        {open && (
          <RuleEditor
            rule={rule}
            saved={saved}
            label={label}
            path={path}
            configuration={configuration}
            groups={groups}
            onChange={onChange}
          />
        )}
      </Collapse>
    </Paper>
  );
}
