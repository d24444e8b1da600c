import { Badge, Button, Group, NumberInput, Paper, Slider, Stack, Text } from "@mantine/core";
import type { Configuration, Rule } from "../../../src/api-types.ts";
import { IssueText, useIssues } from "../problems.tsx";
import { percent, ruleSentence } from "./changes.ts";
import { same } from "./draft.ts";
import { RolloutOptions } from "./RolloutOptions.tsx";
import { everyoneElse } from "./rules.ts";
import { ServeEditor } from "./ServeEditor.tsx";
import { SplitEditor } from "./SplitEditor.tsx";
import { isOnOff } from "./variants.ts";

const QUICK = [1, 5, 10, 25, 50, 100];

interface EveryoneElseProps {
  readonly configuration: Configuration;
  readonly base: Configuration;
  readonly onPercentage: (percentage: number) => void;
  readonly onChange: (change: Partial<Rule>) => void;
}

/** The last row: a percentage of all whom no rule above has taken. Raising it only adds people, lowering it only removes. */
export function EveryoneElse({ configuration, base, onPercentage, onChange }: EveryoneElseProps) {
  const { index, percentage, rule } = everyoneElse(configuration);
  const saved = everyoneElse(base);
  const alone = configuration.rules.length === (rule ? 1 : 0);
  const who = alone ? "Everyone" : "Everyone else";
  const serve: Rule["serve"] = rule?.serve ?? { kind: "variant", variant: configuration.on };
  const rollout = rule?.rollout ?? { percentage };
  // Its name, which only the API gives it, is not what people know this row by.
  const { name: _, ...unnamed } = rule ?? { rollout, serve };
  const sentence = ruleSentence(unnamed, configuration, String, who);
  const issues = useIssues(index < 0 ? undefined : `rules.${index}`);
  const isChanged = percentage !== saved.percentage || (rule !== undefined && !same(rule, saved.rule));
  return (
    <Paper className="sb-card" p="sm" component="section" aria-label="Everyone else">
      <Stack gap="sm">
        <Group gap={8}>
          <Text size="sm" fw={600}>
            {sentence}
          </Text>
          {isChanged && (
            <Badge color="indigo" size="sm">
              unsaved{percentage !== saved.percentage && `, was ${percent(saved.percentage)}`}
            </Badge>
          )}
        </Group>
        {rollout.over ? (
          <NumberInput
            size="xs"
            w={220}
            label="Percentage before the first row"
            min={0}
            max={100}
            decimalScale={3}
            suffix=" %"
            clampBehavior="strict"
            value={percentage}
            onChange={(value) => typeof value === "number" && onPercentage(value)}
          />
        ) : (
          <Percentage who={who} percentage={percentage} onChange={onPercentage} />
        )}
        {rule && (!isOnOff(configuration) || serve.kind === "split") && (
          <>
            <ServeEditor serve={serve} label={who} configuration={configuration} onChange={(next) => onChange({ serve: next })} />
            {serve.kind === "split" && (
              <SplitEditor
                split={serve}
                saved={saved.rule?.serve.kind === "split" ? saved.rule.serve : undefined}
                label={who}
                configuration={configuration}
                onChange={(next) => onChange({ serve: next })}
              />
            )}
          </>
        )}
        <RolloutOptions
          rollout={rollout}
          saved={saved.rule && (saved.rule.rollout ?? { percentage: 100 })}
          label={who}
          withSlice={false}
          onChange={(next) => onChange({ rollout: next })}
        />
        <IssueText issues={issues} />
      </Stack>
    </Paper>
  );
}

function Percentage({ who, percentage, onChange }: { who: string; percentage: number; onChange: (percentage: number) => void }) {
  return (
    <>
      <Group gap="md" wrap="wrap">
        <Slider
          flex="1 1 180px"
          miw={160}
          thumbLabel={`${who}, percentage`}
          min={0}
          max={100}
          step={1}
          label={(value) => percent(value)}
          value={percentage}
          onChange={onChange}
        />
        <NumberInput
          w={110}
          size="sm"
          aria-label={`${who}, percentage as a number`}
          min={0}
          max={100}
          decimalScale={3}
          suffix=" %"
          clampBehavior="strict"
          value={percentage}
          onChange={(value) => typeof value === "number" && onChange(value)}
        />
      </Group>
      <Group gap={6} role="group" aria-label="Quick percentages">
        {QUICK.map((value) => (
          <Button
            key={value}
            size="compact-sm"
            variant={percentage === value ? "filled" : "default"}
            aria-pressed={percentage === value}
            onClick={() => onChange(value)}
          >
            {percent(value)}
          </Button>
        ))}
      </Group>
    </>
  );
}
