import { Alert, Button, Group, Menu, Paper, SegmentedControl, Stack, Text, Title } from "@mantine/core";
import { IconBraces, IconPlus, IconUserPlus, IconUsers } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import type { Configuration, Group as GroupShape } from "../../../src/api-types.ts";
import { emptyLeaf } from "../conditions/edit.ts";
import { NewGroupDialog } from "../groups/NewGroupDialog.tsx";
import { JsonField } from "../JsonField.tsx";
import { IssueText, useIssues } from "../problems.tsx";
import type { Place } from "../queries.ts";
import { MODE_WORDS } from "./changes.ts";
import { type Edits, type Fields, same } from "./draft.ts";
import { EveryoneElse } from "./EveryoneElse.tsx";
import { RuleCard } from "./RuleCard.tsx";
import { asRules, rulesProblem } from "./read-rule.ts";
import {
  everyoneElse,
  moveRule,
  newRule,
  removeRule,
  replaceRule,
  singleGroup,
  withEveryoneElse,
  withEveryoneElseRule,
  withRule,
} from "./rules.ts";
import { isOnOff, variantWord } from "./variants.ts";

interface WhoCardProps {
  readonly place: Place;
  readonly fields: Fields;
  readonly base: Configuration;
  readonly groups: readonly GroupShape[];
  readonly groupName: (key: string) => string;
  /** Rules that were added on this page start open. */
  readonly opened: ReadonlySet<string>;
  readonly onOpen: (ruleId: string) => void;
  readonly onEdit: (edits: Edits) => void;
}

const MODES = (["off", "targeted", "on", "inherit"] as const).map((value) => ({ value, label: MODE_WORDS[value] }));

/** Who gets the flag: the mode, the rules in their order, and everyone else. */
export function WhoCard({ place, fields, base, groups, groupName, opened, onOpen, onEdit }: WhoCardProps) {
  const navigate = useNavigate();
  const [invite, setInvite] = useState(false);
  const [asJson, setAsJson] = useState(false);
  const issues = useIssues("rules", { exactly: true });
  const last = everyoneElse(fields);
  const rules = last.index < 0 ? fields.rules : fields.rules.slice(0, last.index);
  const used = new Set(rules.map(singleGroup));
  const free = groups.filter(({ key }) => !used.has(key));

  /** Whoever edits the rules of a flag that nobody gets means them to count. */
  function editRules(next: Configuration["rules"]) {
    onEdit({ rules: next, ...(fields.mode === "off" ? { mode: "targeted" as const } : {}) });
  }

  function add(when: Parameters<typeof newRule>[1]) {
    const rule = newRule(fields, when);
    if (when.op !== "group" && rule.id) onOpen(rule.id);
    editRules(withRule(fields, rule));
  }

  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="who">
      <Stack gap="md">
        <Title order={2} size="h4" id="who">
          Who gets it
        </Title>
        <SegmentedControl
          fullWidth
          aria-labelledby="who"
          data={MODES}
          value={fields.mode}
          onChange={(mode) => onEdit({ mode: mode as Configuration["mode"] })}
        />
        <ModeNote fields={fields} />
        <Stack gap="sm">
          {asJson ? (
            <JsonField
              label="The rules as JSON, in their order"
              value={fields.rules}
              check={rulesProblem}
              onChange={(value) => editRules(asRules(value))}
            />
          ) : (
            rules.map((rule, index) => (
              <RuleCard
                key={rule.id ?? index}
                rule={rule}
                saved={base.rules.find((old) => old.id !== undefined && old.id === rule.id)}
                index={index}
                count={rules.length}
                configuration={fields}
                groups={groups}
                groupName={groupName}
                changed={!base.rules.some((old) => same(old, rule))}
                startOpen={rule.id !== undefined && opened.has(rule.id)}
                onChange={(next) => onEdit({ rules: replaceRule(fields.rules, index, next) })}
                onMove={(by) => onEdit({ rules: moveRule(fields.rules, index, by) })}
                onRemove={() => onEdit({ rules: removeRule(fields.rules, index) })}
              />
            ))
          )}
          <IssueText issues={issues} />
          <Group gap="xs">
            <Menu position="bottom-start">
              <Menu.Target>
                <Button size="xs" variant="default" leftSection={<IconUsers size={16} aria-hidden />}>
                  Add group
                </Button>
              </Menu.Target>
              <Menu.Dropdown mah={320} style={{ overflowY: "auto" }}>
                {free.map((group) => (
                  <Menu.Item key={group.key} onClick={() => add({ op: "group", group: group.key })}>
                    {group.name || group.key}
                    <Text size="xs" c="dimmed" component="span" display="block">
                      {group.sentence}
                    </Text>
                  </Menu.Item>
                ))}
                {free.length === 0 && (
                  <Menu.Label>{groups.length === 0 ? "There is no group yet." : "Every group is used already."}</Menu.Label>
                )}
                <Menu.Divider />
                <Menu.Item onClick={() => void navigate({ to: "/$project/$environment/groups", params: place })}>All groups</Menu.Item>
              </Menu.Dropdown>
            </Menu>
            <EarlyAccessButton free={free} onAdd={(group) => add({ op: "group", group })} onCreate={() => setInvite(true)} />
            <Button size="xs" variant="default" leftSection={<IconPlus size={16} aria-hidden />} onClick={() => add(emptyLeaf())}>
              Add rule
            </Button>
          </Group>
          {!asJson && (
            <EveryoneElse
              configuration={fields}
              base={base}
              // Whoever picks a percentage wants that percentage, whatever the mode was.
              onPercentage={(percentage) => onEdit({ rules: withEveryoneElse(fields, percentage), mode: "targeted" })}
              onChange={(change) => onEdit({ rules: withEveryoneElseRule(fields, change), mode: "targeted" })}
            />
          )}
          <Button
            size="compact-xs"
            variant="subtle"
            color="gray"
            w="fit-content"
            aria-pressed={asJson}
            leftSection={<IconBraces size={14} aria-hidden />}
            onClick={() => setAsJson(!asJson)}
          >
            {asJson ? "Back to the fields" : "Advanced: all rules as JSON"}
          </Button>
        </Stack>
      </Stack>
      <NewGroupDialog
        place={place}
        opened={invite}
        kind="early-access"
        onClose={() => setInvite(false)}
        onCreated={(group) => add({ op: "group", group: group.key })}
      />
    </Paper>
  );
}

function ModeNote({ fields }: { fields: Fields }) {
  if (fields.mode === "targeted") {
    return (
      <Text size="sm" c="dimmed">
        The first rule that applies decides; whoever no rule takes gets {variantWord(fields.off, fields)}.
      </Text>
    );
  }
  if (fields.mode === "inherit" && fields.parent === null && !fields.key.includes(":")) {
    return (
      <Alert color="orange" variant="outline">
        This flag has no parent, so nobody gets it. Name a parent below.
      </Alert>
    );
  }
  const isPlain = isOnOff(fields);
  const words = {
    off: isPlain ? "Nobody gets it." : `Everybody gets ${variantWord(fields.off, fields)}.`,
    on: isPlain ? "Everybody gets it, denials included." : `Everybody gets ${variantWord(fields.on, fields)}, denials included.`,
    inherit: "It follows its parent.",
  }[fields.mode];
  return (
    <Text size="sm" c="dimmed">
      {words}{" "}
      {fields.rules.length > 0
        ? "The rules below are kept and count when “Some” is chosen."
        : "To give it to some, pick a group or a percentage."}
    </Text>
  );
}

interface EarlyAccessProps {
  readonly free: readonly GroupShape[];
  readonly onAdd: (group: string) => void;
  readonly onCreate: () => void;
}

function EarlyAccessButton({ free, onAdd, onCreate }: EarlyAccessProps) {
  const programs = free.filter(({ kind }) => kind === "early-access");
  return (
    <Menu position="bottom-start">
      <Menu.Target>
        <Button size="xs" variant="default" leftSection={<IconUserPlus size={16} aria-hidden />}>
          Add early access
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {programs.map((group) => (
          <Menu.Item key={group.key} onClick={() => onAdd(group.key)}>
            {group.name || group.key}
            <Text size="xs" c="dimmed" component="span" display="block">
              {group.members} joined
            </Text>
          </Menu.Item>
        ))}
        <Menu.Item onClick={onCreate}>New early access…</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
