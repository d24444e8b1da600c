import { Group, Text, Tooltip, UnstyledButton, VisuallyHidden } from "@mantine/core";
import { IconHeartBroken, IconHeartbeat } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { heartbeatQuery } from "../queries.ts";
import { ago, useNow } from "../time.tsx";

/** Would a kill work now? How long the last beat took and how long ago it was; red words when it failed. */
export function HeartbeatFigure() {
  const { data } = useQuery(heartbeatQuery);
  const now = useNow(1_000);
  if (!data || data.state === "off" || data.state === "starting") return null;
  const { at, latencyMs, p99Ms, everyMs } = data;
  const age = at === null ? undefined : ago(at, now).replace(/\.\d s/, " s");
  const isBad = data.state === "failing" || at === null || now - at > 3 * everyMs;
  const label = isBad
    ? (data.problem ?? `The last heartbeat was ${age}`)
    : `A hidden flag changes every ${everyMs / 1000} s. The last change took ${latencyMs} ms from the request to a connected program, 99 % of the last hour at most ${p99Ms} ms: a kill would arrive now.`;
  const Icon = isBad ? IconHeartBroken : IconHeartbeat;
  return (
    <Tooltip label={label} multiline w={280} events={{ hover: true, focus: true, touch: true }}>
      <UnstyledButton>
        <Group gap={5} wrap="nowrap">
          <VisuallyHidden>{isBad ? "" : "heartbeat "}</VisuallyHidden>
          <Icon size={18} aria-hidden className={isBad ? "sb-bad" : "sb-soft"} />
          <Text size="sm" component="span" className={isBad ? "sb-bad" : "sb-soft"}>
            {isBad && "no heartbeat"}
            <span className="sb-wide">
              {isBad ? "" : `${latencyMs} ms`} · {age ?? "never"}
            </span>
          </Text>
          <VisuallyHidden>. {label}</VisuallyHidden>
        </Group>
      </UnstyledButton>
    </Tooltip>
  );
}
