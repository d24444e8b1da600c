import { ActionIcon, Button, Group, NumberInput, SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { useId, useState } from "react";
import { useNow } from "../time.tsx";
import { percent } from "./changes.ts";
import {
  instant,
  instantOf,
  localText,
  momentWords,
  nextPoint,
  type Point,
  percentageAt,
  type Rollout,
  rampPoints,
  rolloutProblem,
  type Schedule,
  scheduled,
  stopped,
  withPoint,
} from "./schedule.ts";

interface ScheduleEditorProps {
  readonly rollout: Rollout;
  readonly label: string;
  readonly onChange: (rollout: Rollout) => void;
}

const KINDS = [
  { value: "stays", label: "No" },
  { value: "steps", label: "In steps" },
  { value: "line", label: "In a line" },
];
const POINTS_MAX = 50;

/** How a percentage changes by itself: at times, or along straight lines between them. */
export function ScheduleEditor({ rollout, label, onChange }: ScheduleEditorProps) {
  const id = useId();
  const { over } = rollout;
  return (
    <Stack gap={8}>
      <Stack gap={4}>
        <Text size="xs" fw={500} id={id}>
          Changes with time
        </Text>
        <SegmentedControl
          size="xs"
          w="fit-content"
          aria-labelledby={id}
          data={KINDS}
          value={over?.kind ?? "stays"}
          onChange={(kind) => {
            if (kind === "stays") onChange(stopped(rollout, Date.now()));
            else onChange(scheduled(rollout, kind as Schedule["kind"], Date.now()));
          }}
        />
      </Stack>
      {over && <Points rollout={rollout} over={over} label={label} onChange={(next) => onChange({ ...rollout, over: next })} />}
      {over && <RampFields kind={over.kind} label={label} onFill={(points) => onChange({ ...rollout, over: { ...over, points } })} />}
      {over && <Standing rollout={rollout} over={over} />}
    </Stack>
  );
}

interface PointsProps {
  readonly rollout: Rollout;
  readonly over: Schedule;
  readonly label: string;
  readonly onChange: (over: Schedule) => void;
}

function Points({ rollout, over, label, onChange }: PointsProps) {
  const problem = rolloutProblem(rollout);
  const put = (index: number, change: Partial<Point>) =>
    onChange({ ...over, points: over.points.map((point, at) => (at === index ? { ...point, ...change } : point)) });
  return (
    <Stack gap={6}>
      <Text size="xs" c="dimmed">
        {over.kind === "line"
          ? "The percentage runs straight from each row to the next, and stays where the last row leaves it."
          : "Each percentage holds from its time on."}{" "}
        Times are those of this computer ({Intl.DateTimeFormat().resolvedOptions().timeZone}).
      </Text>
      {over.points.map((point, index) => {
        const row = `${label}: row ${index + 1}`;
        return (
          <Group
            // Rows have no identity of their own: their place in the list is what they are.
            // biome-ignore lint/suspicious/noArrayIndexKey: see above
            key={index}
            gap={6}
          >
            <TextInput
              size="xs"
              type="datetime-local"
              flex="1 1 200px"
              miw={0}
              maw={220}
              aria-label={`${row}, date and time`}
              value={localText(point.at)}
              onChange={(event) => {
                const at = instantOf(event.currentTarget.value);
                if (at !== undefined) put(index, { at });
              }}
            />
            <NumberInput
              size="xs"
              w={90}
              aria-label={`${row}, percentage`}
              min={0}
              max={100}
              decimalScale={3}
              suffix=" %"
              clampBehavior="strict"
              hideControls
              value={point.percentage}
              onChange={(value) => typeof value === "number" && put(index, { percentage: value })}
            />
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={`${row}: remove`}
              disabled={over.points.length === 1}
              onClick={() => onChange({ ...over, points: over.points.filter((_, at) => at !== index) })}
            >
              <IconX size={16} aria-hidden />
            </ActionIcon>
          </Group>
        );
      })}
      {problem !== undefined && (
        <Text size="xs" c="var(--mantine-color-error)" role="status">
          {problem}
        </Text>
      )}
      <Button
        size="compact-xs"
        variant="subtle"
        w="fit-content"
        leftSection={<IconPlus size={14} aria-hidden />}
        disabled={over.points.length >= POINTS_MAX}
        onClick={() => onChange(withPoint(over, Date.now()))}
      >
        Add row
      </Button>
    </Stack>
  );
}

/** Fills the rows: from so much to so much in so many days. */
function RampFields({ kind, label, onFill }: { kind: Schedule["kind"]; label: string; onFill: (points: Point[]) => void }) {
  const [from, setFrom] = useState(1);
  const [to, setTo] = useState(100);
  const [days, setDays] = useState(7);
  const [start, setStart] = useState(() => localText(instant(Date.now())));
  const startMs = Date.parse(instantOf(start) ?? "");
  const ends = { size: "xs", w: 84, min: 0, max: 100, decimalScale: 3, suffix: " %", hideControls: true } as const;
  return (
    <Stack gap={4} className="sb-nested" role="group" aria-label={`${label}: fill in a plan`}>
      <Group gap={6} align="flex-end">
        <NumberInput {...ends} label="From" value={from} onChange={(value) => typeof value === "number" && setFrom(value)} />
        <NumberInput {...ends} label="to" value={to} onChange={(value) => typeof value === "number" && setTo(value)} />
        <NumberInput
          size="xs"
          w={84}
          label="over days"
          min={0.01}
          max={3_650}
          hideControls
          value={days}
          onChange={(value) => typeof value === "number" && setDays(value)}
        />
        <TextInput
          size="xs"
          type="datetime-local"
          label="beginning"
          value={start}
          onChange={(event) => setStart(event.currentTarget.value)}
        />
        <Button
          size="xs"
          variant="default"
          disabled={Number.isNaN(startMs) || days <= 0}
          onClick={() => onFill(rampPoints(kind, { from, to, days, startMs }))}
        >
          Fill in the rows
        </Button>
      </Group>
    </Stack>
  );
}

/** Where it stands by the clock of this computer, and what comes next. */
function Standing({ rollout, over }: { rollout: Rollout; over: Schedule }) {
  const now = useNow(5_000);
  if (rolloutProblem(rollout) !== undefined) return null;
  const next = nextPoint(over, now);
  const isRunning = over.kind === "line" && now >= Date.parse(over.points[0]?.at ?? "");
  return (
    <Text size="sm" fw={500}>
      Now {percent(percentageAt(rollout, now))}
      {next
        ? `; ${isRunning ? "on the way to" : "next"} ${percent(next.percentage)} ${isRunning ? "at" : "from"} ${momentWords(next.at)}.`
        : "; the plan is done."}
    </Text>
  );
}
