import { IconArrowUp, IconCircle, IconCircleFilled, IconCircleHalf2, IconHandStop } from "@tabler/icons-react";
import type { FlagState } from "../../../src/api-types.ts";

const ICONS = { OFF: IconCircle, KILLED: IconHandStop, SOME: IconCircleHalf2, ON: IconCircleFilled, INHERITS: IconArrowUp } as const;
const MEANS = {
  OFF: "nobody gets it",
  KILLED: "killed: everybody gets the off variant; nothing else is changed",
  SOME: "some get it",
  ON: "everybody gets it",
  INHERITS: "as its parent",
} as const;

/** The state of a flag in one environment: word, icon and color. */
export function StateChip({ state, archived = false }: { state: FlagState; archived?: boolean }) {
  const Icon = ICONS[state.word];
  return (
    <span className="sb-chip" data-state={state.word} title={MEANS[state.word]}>
      <Icon size={13} stroke={2.4} aria-hidden />
      {state.text}
      {archived ? " · archived" : ""}
    </span>
  );
}
