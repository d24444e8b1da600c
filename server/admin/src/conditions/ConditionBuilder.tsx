import { ActionIcon, Autocomplete, Box, Button, Group, Select, Stack, Text } from "@mantine/core";
import { IconBraces, IconPlus, IconX } from "@tabler/icons-react";
import { useState } from "react";
import type { Condition, Group as GroupShape } from "../../../src/api-types.ts";
import { JsonField } from "../JsonField.tsx";
import { IssueText, useIssues } from "../problems.tsx";
import { asBranch, type Branch, EDIT_DEPTH_MAX, emptyLeaf, incomplete, type Leaf, negate, simplified, viewOf } from "./edit.ts";
import { Operand } from "./Operand.tsx";
import { type OperatorId, operatorChoices, operatorOf, withOperator } from "./operators.ts";
import { asCondition, conditionProblem, isDrawn } from "./read.ts";

interface BuilderProps {
  readonly condition: Condition;
  readonly onChange: (condition: Condition) => void;
  readonly groups: readonly GroupShape[];
  /** Says in a name what is being edited, for people who cannot see where the field stands. */
  readonly label: string;
  /** Where the condition is in what is saved, to find what the server says of it. */
  readonly path: string;
  /** For everyone in place of those whom conditions find; absent where that is not a choice. */
  readonly onEveryone?: () => void;
}

/** Edits a condition: lines joined by all / any / none, within each other as deep as can be saved. What has no fields here is JSON. */
export function ConditionBuilder(props: BuilderProps) {
  const { condition, onChange, groups, label, path, onEveryone } = props;
  const [asJson, setAsJson] = useState(false);
  const { negated, branch } = asBranch(condition);
  const view = viewOf(condition);
  const isLine = "leaf" in view;
  const own = useIssues(path, { exactly: true });
  const [first] = incomplete(condition);
  return (
    <Stack gap={8}>
      {asJson ? (
        <JsonField
          label={`${label}, as JSON`}
          hideLabel
          value={condition}
          check={conditionProblem}
          onChange={(value) => onChange(asCondition(value))}
        />
      ) : (
        <BranchEditor
          negated={negated}
          branch={branch}
          groups={groups}
          label={label}
          path={path}
          pathOf={(index) => (isLine ? path : `${path}${".of".repeat(view.nots)}.of.${index}`)}
          depth={1}
          onChange={(next) => onChange(simplified(next))}
        />
      )}
      {!(isLine && !asJson) && <IssueText issues={own} />}
      <Group gap={4}>
        {first !== undefined && (
          <Text size="xs" c="dimmed">
            {first}
          </Text>
        )}
        {onEveryone && branch.of.length === 0 && (
          <Button size="compact-xs" variant="subtle" onClick={onEveryone}>
            For everyone
          </Button>
        )}
        <Button
          size="compact-xs"
          variant="subtle"
          color="gray"
          ml="auto"
          aria-pressed={asJson}
          aria-label={`${label}: ${asJson ? "edit in fields" : "edit as JSON"}`}
          leftSection={<IconBraces size={14} aria-hidden />}
          onClick={() => setAsJson(!asJson)}
        >
          {asJson ? "Fields" : "JSON"}
        </Button>
      </Group>
    </Stack>
  );
}

interface BranchProps {
  readonly negated: boolean;
  readonly branch: Branch;
  readonly groups: readonly GroupShape[];
  readonly label: string;
  readonly path: string;
  readonly pathOf: (index: number) => string;
  readonly depth: number;
  readonly onChange: (condition: Condition) => void;
  readonly onRemove?: () => void;
}

const JOINS = [
  { value: "all", label: "all of these hold" },
  { value: "any", label: "any of these holds" },
  { value: "not-any", label: "none of these holds" },
  { value: "not-all", label: "not all of these hold" },
];

function BranchEditor({ negated, branch, groups, label, pathOf, depth, onChange, onRemove }: BranchProps) {
  const set = (of: Condition[]) => onChange(negate({ op: branch.op, of }, negated));
  return (
    <Stack gap={8} role="group" aria-label={label} className={depth > 1 ? "sb-nested" : ""}>
      {(branch.of.length > 1 || depth > 1 || negated) && (
        <Group gap={8} wrap="nowrap">
          <Select
            size="xs"
            w={190}
            aria-label={`${label}: how the conditions are joined`}
            data={JOINS}
            allowDeselect={false}
            value={`${negated ? "not-" : ""}${branch.op}`}
            onChange={(value) => {
              if (!value) return;
              const op = value.endsWith("any") ? "any" : "all";
              onChange(negate({ op, of: branch.of }, value.startsWith("not-")));
            }}
          />
          {onRemove && (
            <ActionIcon variant="subtle" color="gray" aria-label={`${label}: remove this set of conditions`} onClick={onRemove}>
              <IconX size={16} aria-hidden />
            </ActionIcon>
          )}
        </Group>
      )}
      {branch.of.map((child, index) => (
        <Part
          // Lines have no identity of their own: their place in the list is what they are.
          // biome-ignore lint/suspicious/noArrayIndexKey: see above
          key={index}
          condition={child}
          groups={groups}
          label={`${label}, condition ${index + 1}`}
          path={pathOf(index)}
          depth={depth}
          onChange={(next) => set(branch.of.map((old, at) => (at === index ? next : old)))}
          onRemove={() => set(branch.of.filter((_, at) => at !== index))}
        />
      ))}
      <Group gap={4}>
        <Button
          size="compact-xs"
          variant="subtle"
          leftSection={<IconPlus size={14} aria-hidden />}
          aria-label={depth > 1 ? `${label}: add condition` : undefined}
          onClick={() => set([...branch.of, emptyLeaf()])}
        >
          Add condition
        </Button>
        {depth < EDIT_DEPTH_MAX && (
          <Button
            size="compact-xs"
            variant="subtle"
            leftSection={<IconPlus size={14} aria-hidden />}
            aria-label={depth > 1 ? `${label}: add nested conditions` : undefined}
            onClick={() => set([...branch.of, { op: branch.op === "all" ? "any" : "all", of: [emptyLeaf()] }])}
          >
            Add nested conditions
          </Button>
        )}
      </Group>
    </Stack>
  );
}

interface PartProps {
  readonly condition: Condition;
  readonly groups: readonly GroupShape[];
  readonly label: string;
  readonly path: string;
  readonly depth: number;
  readonly onChange: (condition: Condition) => void;
  readonly onRemove: () => void;
}

/** One of the conditions of a set: a set itself, a line, or what there are no fields for. */
function Part({ condition, groups, label, path, depth, onChange, onRemove }: PartProps) {
  const view = viewOf(condition);
  const at = path + ".of".repeat(view.nots);
  if ("branch" in view && depth < EDIT_DEPTH_MAX) {
    return (
      <BranchEditor
        {...view}
        groups={groups}
        label={label}
        path={path}
        pathOf={(index) => `${at}.of.${index}`}
        depth={depth + 1}
        onChange={onChange}
        onRemove={onRemove}
      />
    );
  }
  if ("branch" in view || !isDrawn(view.leaf)) {
    return (
      <Group gap={6} align="flex-start" wrap="nowrap">
        <Box flex={1} miw={0}>
          <JsonField
            label={`${label}, as JSON`}
            hideLabel
            maxRows={8}
            value={condition}
            check={conditionProblem}
            onChange={(value) => onChange(asCondition(value))}
          />
          <PathIssues path={path} />
        </Box>
        <ActionIcon variant="subtle" color="gray" aria-label={`${label}: remove`} onClick={onRemove}>
          <IconX size={16} aria-hidden />
        </ActionIcon>
      </Group>
    );
  }
  return <LeafEditor {...view} groups={groups} label={label} path={path} onChange={onChange} onRemove={onRemove} />;
}

function PathIssues({ path }: { path: string }) {
  return <IssueText issues={useIssues(path)} />;
}

interface LeafProps {
  readonly negated: boolean;
  readonly nots: number;
  readonly leaf: Leaf;
  readonly groups: readonly GroupShape[];
  readonly label: string;
  readonly path: string;
  readonly onChange: (condition: Condition) => void;
  readonly onRemove: () => void;
}

const ATTRIBUTES = ["key", "email", "country", "plan", "version", "account.key"];

function LeafEditor({ negated, nots, leaf, groups, label, path, onChange, onRemove }: LeafProps) {
  const put = (next: Leaf) => onChange(negate(next, negated));
  const operator = operatorOf({ negated, nots, leaf });
  return (
    <Stack gap={2}>
      <Group gap={6} align="flex-start" wrap="nowrap">
        <Group gap={6} align="flex-start" flex={1} miw={0}>
          {leaf.op !== "group" && "attribute" in leaf && (
            <Autocomplete
              size="xs"
              flex="1 1 110px"
              miw={90}
              maw={200}
              aria-label={`${label}: attribute`}
              placeholder="attribute"
              data={ATTRIBUTES}
              value={leaf.attribute ?? ""}
              onChange={(attribute) => put({ ...leaf, attribute })}
            />
          )}
          <Select
            size="xs"
            flex="1 1 155px"
            miw={155}
            maw={200}
            aria-label={`${label}: comparison`}
            data={operatorChoices(operator)}
            allowDeselect={false}
            value={operator}
            onChange={(id) => id && onChange(withOperator(leaf, id as OperatorId))}
          />
          {leaf.op !== "exists" && (
            <Box flex="3 1 180px" miw={0}>
              <Operand leaf={leaf} label={label} groups={groups} onChange={put} />
            </Box>
          )}
        </Group>
        <ActionIcon variant="subtle" color="gray" aria-label={`${label}: remove`} onClick={onRemove}>
          <IconX size={16} aria-hidden />
        </ActionIcon>
      </Group>
      <PathIssues path={path} />
    </Stack>
  );
}
