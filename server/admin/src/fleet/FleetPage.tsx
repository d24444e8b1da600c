import { Badge, Box, Group, Paper, Stack, Text, TextInput, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import type { Instance, InstanceList } from "../../../src/api-types.ts";
import { instancesQuery } from "../queries.ts";
import { Failure, Loading } from "../shell/Failure.tsx";
import { useEnvironment, usePlace, useTitle } from "../shell/place.ts";
import { Ago } from "../time.tsx";
import { fits, lagText } from "./fleet.ts";

/** What a page of names may hold; the search finds the others. */
const ROWS_MAX = 200;

/** Every program of the environment: what runs, how far it is, who is silent. Follows what happens by itself. */
export function FleetPage() {
  const place = usePlace();
  const { environment } = useEnvironment();
  const fleet = useQuery({ ...instancesQuery(place), refetchInterval: 15_000 });
  useTitle("Fleet", environment?.name);
  if (fleet.isError && !fleet.data) return <Failure error={fleet.error} retry={() => void fleet.refetch()} />;
  if (!fleet.data) return <Loading what="the programs" />;
  return (
    <Stack gap="lg">
      <Box>
        <Title order={1} size="h2">
          Fleet
        </Title>
        <Text size="sm" c="dimmed" role="status">
          {summaryOf(fleet.data)}
        </Text>
      </Box>
      {fleet.data.total === 0 ? (
        <Text>No program is here now. It appears as soon as it connects with a key of this environment.</Text>
      ) : (
        <>
          <AppsCard apps={fleet.data.apps} />
          <ProgramsCard list={fleet.data} />
        </>
      )}
    </Stack>
  );
}

function summaryOf({ revision, counts }: InstanceList): string {
  const parts = [`${counts.connected} connected`];
  if (counts.silent > 0) parts.push(`${counts.silent} silent`);
  if (counts.polling > 0) parts.push(`${counts.polling} polling`);
  parts.push(counts.behind > 0 ? `${counts.behind} behind revision ${revision}` : `nobody is known to be behind revision ${revision}`);
  return parts.join(" · ");
}

function AppsCard({ apps }: { apps: InstanceList["apps"] }) {
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="apps-title">
      <Title order={2} size="h4" id="apps-title" mb="xs">
        Apps ({apps.length})
      </Title>
      <Box component="ul" className="sb-list" aria-labelledby="apps-title">
        {apps.map(({ app, kind, instances, behind, silent, appVersions, sdks }) => (
          <Box component="li" key={`${kind} ${app}`} className="sb-row" py={6}>
            <Group gap={8} justify="space-between">
              <Group gap={8}>
                <Text size="sm" fw={600}>
                  {app}
                </Text>
                <Kind kind={kind} />
                <Text size="xs" c="dimmed">
                  {[...appVersions, ...sdks].join(", ")}
                </Text>
              </Group>
              <Text size="sm">
                {instances} {instances === 1 ? "program" : "programs"}
                {silent > 0 && <span className="sb-bad"> · {silent} silent</span>}
                {behind > 0 && <span className="sb-late"> · {behind} behind</span>}
              </Text>
            </Group>
          </Box>
        ))}
      </Box>
    </Paper>
  );
}

function ProgramsCard({ list }: { list: InstanceList }) {
  const { search = "" } = useSearch({ from: "/$project/$environment/fleet" });
  const navigate = useNavigate();
  const found = list.instances.filter((instance) => fits(instance, search));
  const more = Math.max(0, found.length - ROWS_MAX) + (search === "" ? list.total - list.instances.length : 0);
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="programs-title">
      <Title order={2} size="h4" id="programs-title" mb="xs">
        Programs ({found.length === list.instances.length ? list.total : `${found.length} of ${list.total}`})
      </Title>
      <TextInput
        label="Find a program"
        description="App, version, SDK, host or instance; silent, polling or behind for those that are"
        value={search}
        maxLength={100}
        mb="xs"
        onChange={({ currentTarget: { value } }) =>
          void navigate({ to: ".", search: value === "" ? {} : { search: value }, replace: true })
        }
      />
      {found.length === 0 && <Text size="sm">No program fits “{search}”.</Text>}
      <Box component="ul" className="sb-list" aria-labelledby="programs-title">
        {found.slice(0, ROWS_MAX).map((instance) => (
          <ProgramRow key={`${instance.kind}:${instance.instance}`} instance={instance} />
        ))}
      </Box>
      {more > 0 && (
        <Text size="sm" c="dimmed">
          {more} more: type a part of the name to find them.
        </Text>
      )}
    </Paper>
  );
}

function ProgramRow({ instance: program }: { instance: Instance }) {
  const { app, appVersion, sdk, host, kind, state, connections, connectedAt, heardAt, instance, applied } = program;
  const isLate = (program.behind ?? 0) > 0;
  return (
    <Box component="li" className="sb-row" py={8}>
      <Group gap={8} justify="space-between" align="baseline">
        <Group gap={8}>
          <Text size="sm" fw={600}>
            {app}
            {appVersion !== null && ` ${appVersion}`}
          </Text>
          <Kind kind={kind} />
          {state !== "connected" && (
            <Text size="sm" component="span" className={state === "silent" ? "sb-bad" : "sb-soft"}>
              {state === "silent" ? (
                <>
                  silent, last heard <Ago at={heardAt} />
                </>
              ) : (
                <>
                  polls, last seen <Ago at={heardAt} />
                </>
              )}
            </Text>
          )}
        </Group>
        <Text size="sm" component="span" {...(isLate ? { className: "sb-late" } : { c: "dimmed" })}>
          {applied === null ? "" : `revision ${applied} · `}
          {lagText(program)}
        </Text>
      </Group>
      <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
        {sdk}
        {host !== null && ` · on ${host}`} · {state === "polling" ? "first seen" : "connected"} <Ago at={connectedAt} /> · {instance}
      </Text>
      {connections > 1 && (
        <Text size="xs" className="sb-late">
          {connections} connections under this name: several copies call themselves the same, and one answers for all. Give each its own
          instance.
        </Text>
      )}
    </Box>
  );
}

function Kind({ kind }: { kind: Instance["kind"] }) {
  return (
    <Badge size="sm" variant="outline" color="gray" className="sb-badge">
      {kind}
    </Badge>
  );
}
