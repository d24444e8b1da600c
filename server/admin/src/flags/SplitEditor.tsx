import { Box, Button, Group, NumberInput, Stack, Text } from "@mantine/core";
import type { Configuration } from "../../../src/api-types.ts";
import { percent } from "./changes.ts";
import { evenWeights, restFor, type Split, splitProblem, sumOf, weightOf, withWeight } from "./split.ts";
import { UnitFields } from "./UnitFields.tsx";
import { valueWords, variantsInOrder, variantWord } from "./variants.ts";

interface SplitEditorProps {
  readonly split: Split;
  readonly saved: Split | undefined;
  readonly label: string;
  readonly configuration: Configuration;
  readonly onChange: (split: Split) => void;
}

/** Shares of variants: a number for each, a bar to see them by, and what is missing from 100. */
export function SplitEditor({ split, saved, label, configuration, onChange }: SplitEditorProps) {
  const known = variantsInOrder(configuration);
  const names = [...known, ...split.weights.map(({ variant }) => variant).filter((variant) => !known.includes(variant))];
  const problem = splitProblem(split);
  const put = (weights: Split["weights"]) => onChange({ ...split, weights });
  return (
    <Stack gap={8} role="group" aria-label={`${label}: shares`}>
      <div className="sb-split" aria-hidden>
        {names.map((variant, index) => (
          <span key={variant} data-color={index % 8} style={{ width: `${Math.min(100, weightOf(split.weights, variant))}%` }} />
        ))}
      </div>
      {names.map((variant, index) => {
        const rest = restFor(split.weights, variant);
        return (
          <Group key={variant} gap={8} wrap="nowrap">
            <span className="sb-swatch" data-color={index % 8} aria-hidden />
            <Box flex={1} miw={0}>
              <Text size="sm" fw={500} truncate>
                {variantWord(variant, configuration)}
              </Text>
              <Text size="xs" c="dimmed" truncate>
                {variant in configuration.values ? valueWords(configuration.values[variant]) : "There is no such variant."}
              </Text>
            </Box>
            <NumberInput
              size="xs"
              w={96}
              aria-label={`${label}: share of ${variant}`}
              min={0}
              max={100}
              decimalScale={3}
              suffix=" %"
              clampBehavior="strict"
              hideControls
              value={weightOf(split.weights, variant)}
              onChange={(value) => typeof value === "number" && put(withWeight(split.weights, variant, value))}
            />
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`${label}: the rest goes to ${variant}`}
              disabled={problem === undefined || rest === undefined}
              onClick={() => rest !== undefined && put(withWeight(split.weights, variant, rest))}
            >
              Rest
            </Button>
          </Group>
        );
      })}
      <Group gap={8}>
        <Text size="xs" c={problem === undefined ? "dimmed" : "var(--mantine-color-error)"} role="status">
          {problem ?? `The shares add up to ${percent(sumOf(split.weights))}.`}
        </Text>
        <Button size="compact-xs" variant="subtle" onClick={() => put(evenWeights(names))}>
          Equal shares
        </Button>
      </Group>
      <Text size="xs" c="dimmed">
        Each person keeps the same variant. Changing a share moves only as many people as it must.
      </Text>
      <UnitFields
        of={split}
        saved={saved}
        label={`${label}: shares`}
        what="gets which variant"
        consequence="Everybody’s variant is drawn anew: many will get another one than they have now."
        onChange={onChange}
      />
    </Stack>
  );
}
