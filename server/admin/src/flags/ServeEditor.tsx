import { SegmentedControl, Select, Stack, Text } from "@mantine/core";
import { useId } from "react";
import type { Configuration, Rule } from "../../../src/api-types.ts";
import { evenWeights } from "./split.ts";
import { isOnOff, variantsInOrder, variantWord } from "./variants.ts";

interface ServeEditorProps {
  readonly serve: Rule["serve"];
  readonly label: string;
  readonly configuration: Configuration;
  readonly onChange: (serve: Rule["serve"]) => void;
}

/** Not a name that a variant can have. */
const SPLIT = "/split";

/** One variant, or shares of several. */
export function ServeEditor({ serve, label, configuration, onChange }: ServeEditorProps) {
  const id = useId();
  const known = variantsInOrder(configuration);
  const value = serve.kind === "split" ? SPLIT : serve.variant;
  const variants = known.includes(value) || value === SPLIT ? known : [value, ...known];
  const isOffered = !isOnOff(configuration) || serve.kind === "split";
  const data = [
    ...variants.map((variant) => ({ value: variant, label: variantWord(variant, configuration) })),
    ...(isOffered ? [{ value: SPLIT, label: "Shares of several" }] : []),
  ];

  function choose(next: string) {
    if (next !== SPLIT) return onChange({ kind: "variant", variant: next });
    if (serve.kind !== "split") onChange({ kind: "split", weights: evenWeights(known) });
  }

  if (data.length > 2) {
    return (
      <Select
        size="xs"
        w={200}
        label="They get"
        aria-label={`${label}: they get`}
        data={data}
        allowDeselect={false}
        value={value}
        onChange={(next) => next && choose(next)}
      />
    );
  }
  return (
    <Stack gap={4}>
      <Text size="xs" fw={500} id={id}>
        They get
      </Text>
      <SegmentedControl size="xs" aria-labelledby={id} data={data} value={value} onChange={choose} />
    </Stack>
  );
}
