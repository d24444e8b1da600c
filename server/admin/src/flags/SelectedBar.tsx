import { Button, Group, Paper, Text } from "@mantine/core";
import { IconHandStop, IconPlayerPlay } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import type { FlagSummary } from "../../../src/api-types.ts";
import type { Place } from "../queries.ts";
import { useMay } from "../shell/rights.tsx";
import { useFlagActions } from "./actions.tsx";

const ARMED_S = 5;

/** What can be done with the flags that are selected in the list. As with one flag, the first press arms and the second one does it. */
export function SelectedBar({ place, flags, onDone }: { place: Place; flags: readonly FlagSummary[]; onDone: () => void }) {
  const { killOrRestore } = useFlagActions(place);
  const may = useMay();
  const [arming, setArming] = useState<{ verb: "kill" | "restore"; left: number }>();
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    if (!arming) return;
    const timer = setTimeout(() => setArming(arming.left > 1 ? { ...arming, left: arming.left - 1 } : undefined), 1_000);
    return () => clearTimeout(timer);
  }, [arming]);
  // What is selected is what the second press must mean.
  const keys = flags.map(({ key }) => key).join(" ");
  // biome-ignore lint/correctness/useExhaustiveDependencies: another selection disarms
  useEffect(() => setArming(undefined), [keys]);
  const live = flags.filter(({ killed }) => !killed);
  const killed = flags.filter((flag) => flag.killed);

  async function press(verb: "kill" | "restore", of: readonly FlagSummary[], clicks: number) {
    if (arming?.verb !== verb) return setArming({ verb, left: ARMED_S });
    if (clicks > 1) return;
    setArming(undefined);
    setBusy(true);
    const done = await killOrRestore(
      of.map(({ key }) => key),
      verb,
    );
    setBusy(false);
    if (done) onDone();
  }
  const button = (verb: "kill" | "restore", of: readonly FlagSummary[]) => {
    const left = arming?.verb === verb ? arming.left : 0;
    const Icon = verb === "kill" ? IconHandStop : IconPlayerPlay;
    const word = verb === "kill" ? "Kill" : "Restore";
    return (
      <Button
        size="xs"
        variant={left > 0 ? "filled" : "default"}
        color={verb === "kill" ? "red.9" : "indigo"}
        leftSection={<Icon size={15} aria-hidden />}
        disabled={of.length === 0 || !may(verb)}
        aria-disabled={busy}
        onClick={(event) => {
          if (!busy) void press(verb, of, event.detail);
        }}
      >
        {left > 0 ? `Confirm ${verb} of ${of.length} (${left})` : `${word} ${of.length}`}
      </Button>
    );
  };

  return (
    <Paper className="sb-card" p="sm" role="region" aria-label="Selected flags">
      <Group justify="space-between" gap="xs">
        <Text size="sm" role="status">
          {flags.length === 1 ? "1 flag selected" : `${flags.length} flags selected`}
        </Text>
        <Group gap="xs">
          {button("kill", live)}
          {killed.length > 0 && button("restore", killed)}
          <Button size="xs" variant="subtle" onClick={onDone}>
            Clear
          </Button>
        </Group>
      </Group>
    </Paper>
  );
}
