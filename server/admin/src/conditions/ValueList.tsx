import { Button, Checkbox, Group, Select, Stack, TagsInput, Text } from "@mantine/core";
import { useState } from "react";
import type { Leaf } from "./edit.ts";
import { asKind, kindOfAll, looksLikeNumbers, tagsOf, VALUE_KINDS, type ValueKind, valuesOf } from "./values.ts";

type ListLeaf = Extract<Leaf, { values: unknown[] }>;

interface ValueListProps {
  readonly leaf: ListLeaf;
  readonly label: string;
  readonly onChange: (leaf: Leaf) => void;
}

const PLACEHOLDERS = { matches: "pattern, Enter, next pattern", cidr: "10.0.0.0/8, Enter, next range" } as const;
const KINDS = Object.entries(VALUE_KINDS).map(([value, label]) => ({ value, label }));

/** The values of a line as tags. Of "is one of" a person says whether they are text, numbers, or yes and no. */
export function ValueList({ leaf, label, onChange }: ValueListProps) {
  const [kind, setKind] = useState<ValueKind>(kindOfAll(leaf.values) ?? "text");
  const [refused, setRefused] = useState<readonly string[]>([]);
  const placeholder = leaf.op === "matches" || leaf.op === "cidr" ? PLACEHOLDERS[leaf.op] : "value, Enter, next value";

  function put(tags: string[]) {
    if (leaf.op !== "in") return onChange({ ...leaf, values: tags });
    const read = valuesOf(tags, leaf.values, kind);
    setRefused(read.refused);
    onChange({ ...leaf, values: read.values });
  }

  function become(next: ValueKind) {
    setKind(next);
    setRefused([]);
    if (leaf.op === "in") onChange({ ...leaf, values: asKind(leaf.values, next) });
  }

  return (
    <Stack gap={4}>
      <Group gap={6} align="flex-start">
        {leaf.op === "in" && (
          <Select
            size="xs"
            w={92}
            aria-label={`${label}: kind of the values`}
            data={KINDS}
            allowDeselect={false}
            value={kind}
            onChange={(next) => next && become(next as ValueKind)}
          />
        )}
        <TagsInput
          size="xs"
          flex="1 1 120px"
          miw={0}
          aria-label={`${label}: values`}
          placeholder={leaf.values.length > 0 ? "" : kind === "boolean" ? "yes or no" : placeholder}
          data={leaf.op === "in" && kind === "boolean" ? ["yes", "no"] : []}
          // A comma is part of many patterns.
          splitChars={leaf.op === "matches" ? ["\n"] : [",", "\n"]}
          // Upper and lower case are two values, and \\d is another pattern than \\D.
          isDuplicate={(tag, tags) => tags.includes(tag)}
          acceptValueOnBlur
          value={tagsOf(leaf.values)}
          onChange={put}
          error={refused.length > 0 && `${refused.join(", ")}: not ${kind === "number" ? "a number" : "yes or no"}`}
        />
      </Group>
      {leaf.op === "in" && kind === "text" && looksLikeNumbers(leaf.values) && (
        <Group gap={4}>
          <Text size="xs" c="dimmed">
            Text is never equal to a number, so 5 as text does not find the number 5.
          </Text>
          <Button size="compact-xs" variant="subtle" onClick={() => become("number")}>
            Make them numbers
          </Button>
        </Group>
      )}
      {leaf.op === "matches" && (
        <Text size="xs" c="dimmed">
          In RE2 syntax, found anywhere in the text: write ^ and $ to mean its beginning and end. Any one of several is enough.
        </Text>
      )}
      {leaf.op === "cidr" ? (
        <Text size="xs" c="dimmed">
          Ranges such as 10.0.0.0/8 or 2001:db8::/32, or single addresses.
        </Text>
      ) : (
        (leaf.op !== "in" || kind === "text" || leaf.ignoreCase) && <IgnoreCase leaf={leaf} onChange={onChange} />
      )}
    </Stack>
  );
}

function IgnoreCase({ leaf, onChange }: { leaf: Exclude<ListLeaf, { op: "cidr" }>; onChange: (leaf: Leaf) => void }) {
  return (
    <Checkbox
      size="xs"
      label="ignore upper and lower case"
      checked={leaf.ignoreCase === true}
      onChange={(event) => {
        const { ignoreCase: _, ...rest } = leaf;
        onChange(event.currentTarget.checked ? { ...rest, ignoreCase: true } : rest);
      }}
    />
  );
}
