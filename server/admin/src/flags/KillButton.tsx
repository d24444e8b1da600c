import { Button } from "@mantine/core";
import { IconHandStop, IconPlayerPlay } from "@tabler/icons-react";
import { type MouseEvent, useEffect, useState } from "react";
import type { Flag, FlagSummary } from "../../../src/api-types.ts";
import type { Place } from "../queries.ts";
import { useMay } from "../shell/rights.tsx";
import { useFlagActions } from "./actions.tsx";

const ARMED_S = 5;

/**
 * Kill, or Restore for a killed flag. The first press turns the button in place into "Confirm kill (5)", so that focus and pointer are
 * already on it; it disarms itself. A double-click never confirms.
 */
export function KillButton({ place, flag, size = "xs" }: { place: Place; flag: Flag | FlagSummary; size?: "xs" | "sm" }) {
  const { kill, restore } = useFlagActions(place);
  const [arming, setArming] = useState<{ verb: "kill" | "restore"; left: number }>();
  const [busy, setBusy] = useState(false);
  const may = useMay();
  const verb = flag.killed ? "restore" : "kill";

  // Armed for the other verb means: somebody else killed or restored it meanwhile, so a press would do something else.
  const left = arming?.verb === verb ? arming.left : 0;
  const armed = left > 0;

  useEffect(() => {
    if (!arming) return;
    const timer = setTimeout(() => setArming(arming.left > 1 ? { ...arming, left: arming.left - 1 } : undefined), 1_000);
    return () => clearTimeout(timer);
  }, [arming]);

  async function press(event: MouseEvent) {
    if (!armed) return setArming({ verb, left: ARMED_S });
    if (event.detail > 1) return;
    setArming(undefined);
    setBusy(true);
    await (verb === "kill" ? kill : restore)(flag.key);
    setBusy(false);
  }

  const word = verb === "kill" ? "Kill" : "Restore";
  const Icon = verb === "kill" ? IconHandStop : IconPlayerPlay;
  return (
    <Button
      size={size}
      miw={armed ? 140 : undefined}
      variant={armed ? "filled" : "default"}
      color={verb === "kill" ? "red.9" : "indigo"}
      leftSection={<Icon size={15} aria-hidden />}
      aria-disabled={busy}
      disabled={!may(verb)}
      aria-label={armed ? `Confirm ${verb} (${left})` : `${word} ${flag.key}`}
      onClick={(event) => {
        if (!busy) void press(event);
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape" && armed) {
          event.stopPropagation();
          setArming(undefined);
        }
      }}
    >
      {armed ? `Confirm ${verb} (${left})` : word}
    </Button>
  );
}
