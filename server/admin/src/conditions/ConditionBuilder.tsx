import { ActionIcon, Autocomplete, Box, Button, Checkbox, Group, NumberInput, Select, Stack, TagsInput, Text } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import type { Condition, Group as GroupShape } from "../../../src/api-types.ts";
import {
  asBranch,
  type Branch,
  depthOf,
  EDIT_DEPTH_MAX,
  emptyLeaf,
  incomplete,
  inWords,
  type Leaf,
  negate,
  OPERATORS,
  type OperatorId,
  operatorOf,
  simplified,
  tagOf,
  valuesOf,
  viewOf,
  withOperator,
} from "./edit.ts";

interface BuilderProps {
  readonly condition: Condition;
  readonly onChange: (condition: Condition) => void;
  readonly groups: readonly GroupShape[];
  /** Says in a name what is being edited, for people who cannot see where the field stands. */
  readonly label: string;
}

/** Edits a condition: lines joined by all / any / none, nested as far as people still read it. */
export function ConditionBuilder({ condition, onChange, groups, label }: BuilderProps) {
  const { negated, branch } = asBranch(condition);
  if (depthOf(condition) > EDIT_DEPTH_MAX) {
    return (
      <Text size="sm">
        {inWords(condition)}
        <Text component="span" c="dimmed" size="sm">
          {" "}
          (Nested deeper than this page edits; change it through the API.)
        </Text>
      </Text>
    );
  }
  return (
    <BranchEditor
      negated={negated}
      branch={branch}
      groups={groups}
      label={label}
      depth={1}
      onChange={(next) => onChange(simplified(next))}
    />
  );
}

interface BranchProps extends Omit<BuilderProps, "condition"> {
  readonly negated: boolean;
  readonly branch: Branch;
  readonly depth: number;
  readonly onRemove?: () => void;
}

const JOINS = [
  { value: "all", label: "all of these hold" },
  { value: "any", label: "any of these holds" },
  { value: "not-any", label: "none of these holds" },
  { value: "not-all", label: "not all of these hold" },
];

function BranchEditor({ negated, branch, groups, label, depth, onChange, onRemove }: BranchProps) {
  const set = (of: Condition[]) => onChange(negate({ op: branch.op, of }, negated));
  return (
    <Stack gap={8} role="group" aria-label={label} className={depth > 1 ? "sb-nested" : ""}>
      {(branch.of.length > 1 || depth > 1 || negated) && (
        <Group gap={8} wrap="nowrap">
          <Select
            size="xs"
            w={200}
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
      {branch.of.map((child, index) => {
        const name = `${label}, condition ${index + 1}`;
        const replace = (next: Condition) => set(branch.of.map((old, at) => (at === index ? next : old)));
        const remove = () => set(branch.of.filter((_, at) => at !== index));
        const view = viewOf(child);
        // Lines have no identity of their own: their place in the list is what they are.
        const key = `${depth}-${index}`;
        return "branch" in view ? (
          <BranchEditor key={key} {...view} groups={groups} label={name} depth={depth + 1} onChange={replace} onRemove={remove} />
        ) : (
          <LeafEditor key={key} {...view} groups={groups} label={name} onChange={replace} onRemove={remove} />
        );
      })}
      <Group gap={4}>
        <Button
          size="compact-xs"
          variant="subtle"
          leftSection={<IconPlus size={14} aria-hidden />}
          onClick={() => set([...branch.of, emptyLeaf()])}
        >
          Add condition
        </Button>
        {depth < EDIT_DEPTH_MAX && (
          <Button
            size="compact-xs"
            variant="subtle"
            leftSection={<IconPlus size={14} aria-hidden />}
            onClick={() => set([...branch.of, { op: branch.op === "all" ? "any" : "all", of: [emptyLeaf()] }])}
          >
            Add nested conditions
          </Button>
        )}
      </Group>
      {depth === 1 && <Missing condition={branch} />}
    </Stack>
  );
}

function Missing({ condition }: { condition: Condition }) {
  const [first] = incomplete(condition);
  if (first === undefined) return null;
  return (
    <Text size="xs" c="dimmed">
      {first}
    </Text>
  );
}

interface LeafProps {
  readonly negated: boolean;
  readonly leaf: Leaf;
  readonly groups: readonly GroupShape[];
  readonly label: string;
  readonly onChange: (condition: Condition) => void;
  readonly onRemove: () => void;
}

const ATTRIBUTES = ["key", "email", "country", "plan", "version", "account.key"];

function LeafEditor({ negated, leaf, groups, label, onChange, onRemove }: LeafProps) {
  const put = (next: Leaf) => onChange(negate(next, negated));
  return (
    <Group gap={6} align="flex-start">
      {leaf.op !== "group" && (
        <Autocomplete
          size="xs"
          flex="1 1 110px"
          miw={90}
          maw={200}
          aria-label={`${label}: attribute`}
          placeholder="attribute"
          data={ATTRIBUTES}
          value={leaf.attribute}
          onChange={(attribute) => put({ ...leaf, attribute })}
        />
      )}
      <Select
        size="xs"
        flex="1 1 150px"
        miw={130}
        maw={200}
        aria-label={`${label}: comparison`}
        data={OPERATORS.map(({ id, words }) => ({ value: id, label: words }))}
        allowDeselect={false}
        value={operatorOf({ negated, leaf })}
        onChange={(id) => id && onChange(withOperator(leaf, id as OperatorId))}
      />
      <Box flex="3 1 180px" miw={0}>
        <Operand leaf={leaf} label={label} groups={groups} onChange={put} />
      </Box>
      <ActionIcon variant="subtle" color="gray" aria-label={`${label}: remove`} onClick={onRemove}>
        <IconX size={16} aria-hidden />
      </ActionIcon>
    </Group>
  );
}

interface OperandProps {
  readonly leaf: Leaf;
  readonly label: string;
  readonly groups: readonly GroupShape[];
  readonly onChange: (leaf: Leaf) => void;
}

function Operand({ leaf, label, groups, onChange }: OperandProps) {
  switch (leaf.op) {
    case "exists":
      return null;
    case "group":
      return (
        <Select
          size="xs"
          aria-label={`${label}: group`}
          placeholder="Choose a group"
          searchable
          data={groups.map((group) => ({ value: group.key, label: group.name || group.key }))}
          value={leaf.group || null}
          onChange={(group) => onChange({ ...leaf, group: group ?? "" })}
        />
      );
    case "number":
      return (
        <Group gap={6} wrap="nowrap">
          <Select
            size="xs"
            w={76}
            aria-label={`${label}: sign`}
            data={["<", "<=", ">", ">=", "=", "!="]}
            allowDeselect={false}
            value={leaf.is}
            onChange={(is) => is && onChange({ ...leaf, is: is as typeof leaf.is })}
          />
          <NumberInput
            size="xs"
            aria-label={`${label}: number`}
            value={leaf.value}
            onChange={(value) => typeof value === "number" && onChange({ ...leaf, value })}
          />
        </Group>
      );
    default:
      return (
        <Stack gap={4}>
          <TagsInput
            size="xs"
            aria-label={`${label}: values`}
            placeholder={leaf.values.length === 0 ? "value, Enter, next value" : ""}
            splitChars={[",", "\n"]}
            acceptValueOnBlur
            value={leaf.values.map(tagOf)}
            onChange={(tags) => {
              if (leaf.op === "in") onChange({ ...leaf, values: valuesOf(tags, leaf.values) });
              else onChange({ ...leaf, values: tags });
            }}
          />
          <Checkbox
            size="xs"
            label="ignore upper and lower case"
            checked={leaf.ignoreCase === true}
            onChange={(event) => {
              const { ignoreCase: _, ...rest } = leaf;
              onChange(event.currentTarget.checked ? { ...rest, ignoreCase: true } : rest);
            }}
          />
        </Stack>
      );
  }
}
