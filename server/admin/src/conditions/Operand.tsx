import { Group, NumberInput, Select, TextInput } from "@mantine/core";
import { parseDate } from "@signalbox/core";
import type { Group as GroupShape } from "../../../src/api-types.ts";
import type { Leaf } from "./edit.ts";
import { DATE_COMPARISONS, NUMBER_COMPARISONS, VERSION_COMPARISONS } from "./operators.ts";
import { ValueList } from "./ValueList.tsx";
import { ZONES } from "./zones.ts";

interface OperandProps {
  readonly leaf: Leaf;
  readonly label: string;
  readonly groups: readonly GroupShape[];
  readonly onChange: (leaf: Leaf) => void;
}

/** What a line compares with. */
export function Operand({ leaf, label, groups, onChange }: OperandProps) {
  switch (leaf.op) {
    case "exists":
      return null;
    case "group":
      return <GroupChoice leaf={leaf} label={label} groups={groups} onChange={onChange} />;
    case "number":
      return (
        <Group gap={6} wrap="nowrap">
          <Comparison words={NUMBER_COMPARISONS} label={label} is={leaf.is} onChange={(is) => onChange({ ...leaf, is })} />
          <NumberInput
            size="xs"
            flex="1 1 90px"
            miw={0}
            aria-label={`${label}: number`}
            value={leaf.value}
            onChange={(value) => typeof value === "number" && onChange({ ...leaf, value })}
          />
        </Group>
      );
    case "semver":
      return (
        <Group gap={6} wrap="nowrap">
          <Comparison words={VERSION_COMPARISONS} label={label} is={leaf.is} onChange={(is) => onChange({ ...leaf, is })} />
          <TextInput
            size="xs"
            flex="1 1 90px"
            miw={0}
            aria-label={`${label}: version`}
            placeholder="2.3.0"
            value={leaf.value}
            onChange={(event) => onChange({ ...leaf, value: event.currentTarget.value.trim() })}
          />
        </Group>
      );
    case "date":
      return <DateOperand leaf={leaf} label={label} onChange={onChange} />;
    default:
      return <ValueList leaf={leaf} label={label} onChange={onChange} />;
  }
}

function DateOperand({ leaf, label, onChange }: Omit<OperandProps, "groups"> & { leaf: Extract<Leaf, { op: "date" }> }) {
  const date = parseDate(leaf.value);
  const saysItsZone = date?.offset !== undefined;
  return (
    <Group gap={6} align="flex-start">
      <Comparison words={DATE_COMPARISONS} label={label} is={leaf.is} onChange={(is) => onChange({ ...leaf, is })} />
      <TextInput
        size="xs"
        flex="1 1 150px"
        miw={0}
        aria-label={`${label}: date`}
        placeholder="2026-12-01T09:30"
        value={leaf.value}
        error={leaf.value !== "" && !date && "Write it as 2026-12-01 or 2026-12-01T09:30."}
        onChange={(event) => {
          const value = event.currentTarget.value.trim();
          const { zone: _, ...rest } = leaf;
          onChange(parseDate(value)?.offset === undefined ? { ...leaf, value } : { ...rest, value });
        }}
      />
      <Select
        size="xs"
        flex="1 1 150px"
        miw={0}
        aria-label={`${label}: time zone`}
        placeholder={saysItsZone ? "as the date says" : "UTC"}
        searchable
        clearable
        clearButtonProps={{ "aria-label": `${label}: no time zone` }}
        limit={40}
        disabled={saysItsZone}
        data={leaf.zone === undefined || ZONES.includes(leaf.zone) ? ZONES : [leaf.zone, ...ZONES]}
        value={leaf.zone ?? null}
        onChange={(zone) => {
          const { zone: _, ...rest } = leaf;
          onChange(zone === null ? rest : { ...rest, zone });
        }}
      />
    </Group>
  );
}

interface ComparisonProps<Sign extends string> {
  readonly words: Readonly<Record<Sign, string>>;
  readonly label: string;
  readonly is: Sign;
  readonly onChange: (is: Sign) => void;
}

function Comparison<Sign extends string>({ words, label, is, onChange }: ComparisonProps<Sign>) {
  const signs = Object.keys(words) as Sign[];
  return (
    <Select
      size="xs"
      w={118}
      aria-label={`${label}: how it is compared`}
      data={signs.map((sign) => ({ value: sign as string, label: words[sign] }))}
      allowDeselect={false}
      value={is as string}
      onChange={(next) => next && onChange(next as Sign)}
    />
  );
}

/** A group that does not exist (any more) stays chosen, and says so. */
function GroupChoice({ leaf, label, groups, onChange }: OperandProps & { leaf: Extract<Leaf, { op: "group" }> }) {
  const isMissing = leaf.group !== "" && !groups.some(({ key }) => key === leaf.group);
  return (
    <Select
      size="xs"
      aria-label={`${label}: group`}
      placeholder="Choose a group"
      searchable
      data={[
        ...(isMissing ? [{ value: leaf.group, label: `${leaf.group} (there is no such group)` }] : []),
        ...groups.map((group) => ({ value: group.key, label: group.name || group.key })),
      ]}
      value={leaf.group || null}
      onChange={(group) => onChange({ ...leaf, group: group ?? "" })}
    />
  );
}
