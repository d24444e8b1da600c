import { Alert, Button, Group, List, Paper, Stack, Switch, Text, Title } from "@mantine/core";
import { IconCircleCheck, IconLoader } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Flag, InstancesEvent, UsageEvent } from "../../../src/api-types.ts";
import { sentenceOfError } from "../api.ts";
import { useFlagActions } from "../flags/actions.tsx";
import { StateChip } from "../flags/StateChip.tsx";
import { useInstances, useUsage } from "../live.ts";
import { flagQuery, instancesQuery, type Place, projectsQuery } from "../queries.ts";
import { AnchorLink } from "../shell/links.tsx";
import { Ago } from "../time.tsx";

const HINTS_AFTER_MS = 30_000;

interface Elsewhere {
  readonly app: string;
  readonly environment: string;
}

/** Waits for the first reported evaluation, says what goes wrong on the way, and then lets the flag be switched. */
export function Waiting({ place, flag: key }: { place: Place; flag: string }) {
  const client = useQueryClient();
  const { data: flag } = useQuery(flagQuery(place, key));
  const programs = useQuery(instancesQuery(place));
  const [received, setReceived] = useState<UsageEvent>();
  const [elsewhere, setElsewhere] = useState<Elsewhere>();
  const [late, setLate] = useState(false);

  useUsage((event) => {
    if (event.project !== place.project || event.flag !== key) return;
    if (event.environment !== place.environment) return setElsewhere(event);
    if (event.known === "known" && event.variant !== null) {
      setReceived(event);
      setElsewhere(undefined);
    } else if (event.known === "hidden") void client.invalidateQueries({ queryKey: flagQuery(place, key).queryKey });
  });
  useInstances((event: InstancesEvent) => {
    const wrong = event.joined && event.app !== null && event.project === place.project && event.environment !== place.environment;
    if (wrong && event.app !== null) setElsewhere({ app: event.app, environment: event.environment });
  });

  const seen = received ? { at: received.at, app: received.app, variant: received.variant ?? "" } : flag?.seen;
  const waiting = !seen;
  useEffect(() => {
    if (!waiting) return;
    const timer = setTimeout(() => setLate(true), HINTS_AFTER_MS);
    return () => clearTimeout(timer);
  }, [waiting]);

  return (
    <Paper className="sb-card" p="lg" component="section" aria-labelledby="step-watch">
      <Stack gap="md">
        <Title order={2} size="h4" id="step-watch">
          3 · Watch it
        </Title>
        <div role="status">
          {seen ? (
            <Group gap={8} wrap="nowrap" align="flex-start">
              <IconCircleCheck size={22} aria-hidden color="var(--sb-good)" />
              <Text fw={600}>
                {/* The age ticks; a screen reader is told the news, not each tick. */}
                received{" "}
                <span aria-live="off">
                  <Ago at={seen.at} fine />
                </span>
                : {key} = {seen.variant}, from {seen.app}
              </Text>
            </Group>
          ) : (
            <Group gap={8} wrap="nowrap">
              <IconLoader size={22} aria-hidden className="sb-pulse" />
              <Text>waiting for the first evaluation</Text>
            </Group>
          )}
        </div>
        {waiting && (programs.data?.instances.length ?? 0) > 0 && (
          <Text size="sm" c="dimmed">
            Connected: {[...new Set(programs.data?.instances.map(({ app }) => app))].join(", ")}. Nothing has asked for {key} yet.
          </Text>
        )}
        {elsewhere && <WrongEnvironment place={place} flag={key} elsewhere={elsewhere} />}
        {flag && !flag.browser && flag.hiddenAsked && <Hidden place={place} flag={flag} />}
        {waiting && late && <Hints place={place} flag={key} />}
        {seen && flag && <Switching place={place} flag={flag} />}
      </Stack>
    </Paper>
  );
}

function WrongEnvironment({ place, flag, elsewhere }: { place: Place; flag: string; elsewhere: Elsewhere }) {
  const { data } = useQuery(projectsQuery);
  const name = (key: string) =>
    data?.projects.find((project) => project.key === place.project)?.environments.find((e) => e.key === key)?.name ?? key;
  return (
    <Alert role="status" color="orange" variant="outline" title="Another environment">
      {elsewhere.app} is connected to {name(elsewhere.environment)}, this page shows {name(place.environment)}. Use the key of step 2, or{" "}
      <AnchorLink
        size="sm"
        to="/$project/$environment/start"
        params={{ project: place.project, environment: elsewhere.environment }}
        search={{ flag }}
      >
        show {name(elsewhere.environment)}
      </AnchorLink>
      .
    </Alert>
  );
}

/** A browser asks for the flag and may not see it: the switch stands where the problem is told. */
function Hidden({ place, flag }: { place: Place; flag: Flag }) {
  const { change } = useFlagActions(place);
  const mark = useMutation({
    mutationFn: () => change(`${flag.key} is visible in browsers`, flag, [{}, { browser: true }], [{}, { browser: false }]),
  });
  return (
    <Alert role="status" color="orange" variant="outline" title="Hidden from browsers">
      <Stack gap="sm">
        <Text size="sm">
          {flag.hiddenAsked?.app} asked for {flag.key} in a browser, but the flag is hidden from browsers, so the page gets its own default.
        </Text>
        <Switch label="Visible in browsers" checked={flag.browser} disabled={mark.isPending} onChange={() => mark.mutate()} />
        {mark.isError && (
          <Text size="sm" role="alert">
            {sentenceOfError(mark.error)}
          </Text>
        )}
      </Stack>
    </Alert>
  );
}

function Hints({ place, flag }: { place: Place; flag: string }) {
  return (
    <Alert color="indigo" variant="outline" title="Nothing yet? What it usually is">
      <List size="sm" spacing={4}>
        <List.Item>The program is not running, or ended at once: its terminal says why in one sentence.</List.Item>
        <List.Item>It runs on another machine or in a container, where “localhost” is not this server.</List.Item>
        <List.Item>It uses another key than the one of step 2 ({place.environment}).</List.Item>
        <List.Item>
          It asks for another flag than <code>{flag}</code>; upper and lower case differ.
        </List.Item>
        <List.Item>It is connected but has not evaluated the flag: only a call of isOn is reported.</List.Item>
      </List>
    </Alert>
  );
}

function Switching({ place, flag }: { place: Place; flag: Flag }) {
  const { change } = useFlagActions(place);
  const on = flag.configuration.mode === "on";
  const to = on ? ("off" as const) : ("on" as const);
  const write = useMutation({
    mutationFn: () =>
      change(`Turned ${flag.key} ${to} in ${place.environment}`, flag, [{}, { mode: to }], [{}, { mode: flag.configuration.mode }]),
  });
  return (
    <Stack gap="sm">
      <Group gap="sm">
        <Button loading={write.isPending} onClick={() => write.mutate()} disabled={flag.killed !== null}>
          {on ? "Turn it off" : "Turn it on"}
        </Button>
        <StateChip state={flag.state} />
        <Text size="sm" c="dimmed">
          and look at your program: it follows at once.
        </Text>
      </Group>
      {write.isError && (
        <Alert role="alert" color="red" variant="outline">
          {sentenceOfError(write.error)}
        </Alert>
      )}
      <Text size="sm">
        <AnchorLink size="sm" to="/$project/$environment/flags/$flag" params={{ ...place, flag: flag.key }}>
          Open the flag
        </AnchorLink>{" "}
        for percentages, groups and early access.
      </Text>
    </Stack>
  );
}
