import { Button, Checkbox, Collapse, NumberInput, Stack } from "@mantine/core";
import { IconChevronDown, IconChevronUp } from "@tabler/icons-react";
import { useId, useState } from "react";
import { percent } from "./changes.ts";
import { ScheduleEditor } from "./ScheduleEditor.tsx";
import { percentageAt, type Rollout, rolloutProblem } from "./schedule.ts";
import { UnitFields } from "./UnitFields.tsx";

interface RolloutOptionsProps {
  readonly rollout: Rollout;
  readonly saved: Rollout | undefined;
  readonly label: string;
  /** False for a percentage of everyone else, which begins at 0 and is the same for a person each time. */
  readonly withSlice: boolean;
  readonly onChange: (rollout: Rollout) => void;
}

/** What a percentage can be besides a number: a plan in time, a slice of its own, another unit, a draw at each check. */
export function RolloutOptions({ rollout, saved, label, withSlice, onChange }: RolloutOptionsProps) {
  const id = useId();
  const isSpecial = rollout.over !== undefined || rollout.from !== undefined || rollout.by !== undefined || rollout.salt !== undefined;
  const [open, setOpen] = useState(isSpecial || rollout.random === true);
  const inside = saved ? percentageAt(saved, Date.now()) : 0;
  // Of all and of nobody another draw takes and adds none.
  const drawn = saved?.random || inside === 0 || inside === 100 ? undefined : saved;
  return (
    <div>
      <Button
        size="compact-xs"
        variant="subtle"
        aria-expanded={open}
        aria-controls={id}
        aria-label={`${label}: change it with time, slices, salt`}
        rightSection={open ? <IconChevronUp size={14} aria-hidden /> : <IconChevronDown size={14} aria-hidden />}
        onClick={() => setOpen(!open)}
      >
        Change it with time, slices, salt
      </Button>
      <Collapse id={id} expanded={open}>
        <Stack gap="sm" pt={8} pl={8}>
          <ScheduleEditor rollout={rollout} label={label} onChange={onChange} />
          {withSlice && !rollout.random && <SliceField rollout={rollout} label={label} onChange={onChange} />}
          {!rollout.random && (
            <UnitFields
              of={rollout}
              saved={drawn}
              label={label}
              what="is inside"
              consequence={`It is drawn anew who is inside: of those who are now, about ${percent(inside)} stay; the others go, and as many come.`}
              onChange={onChange}
            />
          )}
          {withSlice && (
            <Checkbox
              size="xs"
              label="At random for each check"
              description="Drawn each time a program asks, so one person gets both by turns. For samples, such as of logs; not for what people see."
              aria-label={`${label}: at random for each check`}
              checked={rollout.random === true}
              onChange={(event) => {
                const { random: _, from: _from, by: _by, salt: _salt, ...rest } = rollout;
                onChange(event.currentTarget.checked ? { ...rest, random: true } : rest);
              }}
            />
          )}
        </Stack>
      </Collapse>
    </div>
  );
}

function SliceField({ rollout, label, onChange }: Pick<RolloutOptionsProps, "rollout" | "label" | "onChange">) {
  const { from = 0, percentage, over } = rollout;
  return (
    <NumberInput
      size="xs"
      w={260}
      label="The slice begins at"
      description={
        over
          ? "Slices of one salt that do not overlap never reach the same person."
          : `It reaches from ${percent(from)} to ${percent(from + percentage)}. Slices of one salt that do not overlap never reach the same person.`
      }
      aria-label={`${label}: the slice begins at`}
      min={0}
      max={100}
      decimalScale={3}
      suffix=" %"
      clampBehavior="strict"
      error={rolloutProblem({ percentage, from })}
      value={from}
      onChange={(value) => {
        if (typeof value !== "number") return;
        const { from: _, ...rest } = rollout;
        onChange(value === 0 ? rest : { ...rest, from: value });
      }}
    />
  );
}
