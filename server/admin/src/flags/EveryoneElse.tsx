import { Badge, Button, Group, NumberInput, Paper, Slider, Stack, Text } from "@mantine/core";
import { percent } from "./changes.ts";

const QUICK = [1, 5, 10, 25, 50, 100];

interface EveryoneElseProps {
  readonly percentage: number;
  readonly saved: number;
  readonly alone: boolean;
  readonly onChange: (percentage: number) => void;
}

/** The last row: a percentage of all whom no rule above has taken. Raising it only adds people, lowering it only removes. */
export function EveryoneElse({ percentage, saved, alone, onChange }: EveryoneElseProps) {
  const who = alone ? "Everyone" : "Everyone else";
  return (
    <Paper className="sb-card" p="sm" component="section" aria-label="Everyone else">
      <Stack gap="sm">
        <Group gap={8}>
          <Text size="sm" fw={600}>
            {percent(percentage)} of {who.toLowerCase()}: On
          </Text>
          {percentage !== saved && (
            <Badge color="indigo" size="sm">
              unsaved, was {percent(saved)}
            </Badge>
          )}
        </Group>
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
      </Stack>
    </Paper>
  );
}
