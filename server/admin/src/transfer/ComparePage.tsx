import { Badge, Box, Button, Checkbox, Group, Paper, Select, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import type { Comparison } from "../../../src/api-types.ts";
import { StateChip } from "../flags/StateChip.tsx";
import type { Place } from "../queries.ts";
import { Failure, Loading } from "../shell/Failure.tsx";
import { AnchorLink } from "../shell/links.tsx";
import { useEnvironment, usePlace, useTitle } from "../shell/place.ts";
import { useMay } from "../shell/rights.tsx";
import { Differences } from "./Differences.tsx";
import { PromoteDialog } from "./PromoteDialog.tsx";
import { comparisonQuery } from "./queries.ts";

export interface CompareSearch {
  readonly from?: string;
}

/** What the environment of the page has differently from another, and how to bring it over. */
export function ComparePage() {
  const place = usePlace();
  const { project, environment } = useEnvironment();
  const search = useSearch({ from: "/$project/$environment/compare" });
  const navigate = useNavigate();
  useTitle("Compare", environment?.name);
  const others = (project?.environments ?? []).filter(({ key }) => key !== place.environment);
  // The one before it is where things are tried.
  const own = project?.environments.findIndex(({ key }) => key === place.environment) ?? 0;
  const from = search.from ?? project?.environments[own - 1]?.key ?? others[0]?.key;
  return (
    <Stack gap="lg">
      <Group justify="space-between" align="flex-end">
        <Title order={1} size="h2">
          Compare
        </Title>
        <Select
          label={`What ${environment?.name ?? place.environment} would get from`}
          data={others.map(({ key, name }) => ({ value: key, label: name }))}
          value={from ?? null}
          allowDeselect={false}
          w={{ base: "100%", sm: 300 }}
          onChange={(chosen) =>
            void navigate({ to: "/$project/$environment/compare", params: place, search: chosen ? { from: chosen } : {} })
          }
        />
      </Group>
      {from === undefined || from === place.environment ? (
        <Text>There is no other environment to compare with.</Text>
      ) : (
        <Compared key={`${place.environment} ${from}`} place={place} from={from} />
      )}
    </Stack>
  );
}

function Compared({ place, from }: { place: Place; from: string }) {
  const may = useMay();
  const comparison = useQuery(comparisonQuery(place, from));
  const [flags, setFlags] = useState<readonly string[]>([]);
  const [groups, setGroups] = useState<readonly string[]>([]);
  const [asking, setAsking] = useState(false);
  if (comparison.isError && !comparison.data) return <Failure error={comparison.error} retry={() => void comparison.refetch()} />;
  if (!comparison.data) return <Loading what="the comparison" />;
  const { data } = comparison;
  const chosen = {
    flags: data.flags.filter(({ key }) => flags.includes(key)),
    groups: data.groups.filter(({ key }) => groups.includes(key)),
  };
  const count = chosen.flags.length + chosen.groups.length;
  return (
    <>
      <Flags place={place} of={data} chosen={flags} onChange={setFlags} />
      {data.groups.length > 0 && <Groups of={data} chosen={groups} onChange={setGroups} />}
      {data.flags.length + data.groups.length > 0 && (
        <Group>
          <Button disabled={count === 0 || !may("edit")} onClick={() => setAsking(true)}>
            {count === 0
              ? "Choose what to promote"
              : `Promote ${count === 1 ? (chosen.flags[0] ?? chosen.groups[0])?.key : count} to ${place.environment}…`}
          </Button>
        </Group>
      )}
      <PromoteDialog
        place={place}
        from={from}
        opened={asking}
        flags={chosen.flags}
        groups={chosen.groups}
        onClose={() => setAsking(false)}
        onDone={() => {
          setFlags([]);
          setGroups([]);
        }}
      />
    </>
  );
}

interface PartProps {
  readonly of: Comparison;
  readonly chosen: readonly string[];
  readonly onChange: (chosen: readonly string[]) => void;
}

function Flags({ place, of: { flags, total, from, to }, chosen, onChange }: PartProps & { place: Place }) {
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="flags">
      <Title order={2} size="h4" id="flags" mb="xs">
        {total.flags === 0 ? "Flags: no difference" : total.flags === 1 ? "1 flag differs" : `${total.flags} flags differ`}
      </Title>
      {total.flags === 0 && (
        <Text size="sm">
          Every flag is configured in {to} as it is in {from}. A kill is no difference.
        </Text>
      )}
      <Box component="ul" className="sb-list" aria-labelledby="flags">
        {flags.map((flag) => (
          <Box component="li" key={flag.key} className="sb-row" py={8}>
            <Group gap="sm" wrap="nowrap" align="flex-start">
              <Checkbox
                mt={3}
                aria-label={`Promote ${flag.key}`}
                checked={chosen.includes(flag.key)}
                onChange={(event) => onChange(toggled(chosen, flag.key, event.currentTarget.checked))}
              />
              <Box miw={0}>
                <Group gap={8}>
                  <AnchorLink to="/$project/$environment/flags/$flag" params={{ ...place, flag: flag.key }} fw={600} c="inherit">
                    {flag.key}
                  </AnchorLink>
                  <Text size="sm" c="dimmed">
                    {from}
                  </Text>
                  <StateChip state={flag.from.state} archived={flag.from.archived} />
                  <Text size="sm" c="dimmed">
                    {to}
                  </Text>
                  <StateChip state={flag.to.state} archived={flag.to.archived} />
                </Group>
                <Differences of={flag.differences} />
                {flag.missingGroups.length > 0 && (
                  <Text size="sm" c="var(--mantine-color-error)">
                    {to} does not have the group {flag.missingGroups.join(", ")}.
                  </Text>
                )}
              </Box>
            </Group>
          </Box>
        ))}
      </Box>
      {total.flags > flags.length && <Text size="sm">and {total.flags - flags.length} more</Text>}
    </Paper>
  );
}

function Groups({ of: { groups, from, to }, chosen, onChange }: PartProps) {
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="groups">
      <Title order={2} size="h4" id="groups" mb="xs">
        Groups
      </Title>
      <Box component="ul" className="sb-list" aria-labelledby="groups">
        {groups.map((group) => (
          <Box component="li" key={group.key} className="sb-row" py={8}>
            <Group gap="sm" wrap="nowrap" align="flex-start">
              <Checkbox
                mt={3}
                aria-label={`Promote the group ${group.key}`}
                disabled={!group.copies}
                checked={chosen.includes(group.key)}
                onChange={(event) => onChange(toggled(chosen, group.key, event.currentTarget.checked))}
              />
              <Box miw={0}>
                <Group gap={8}>
                  <Text fw={600}>{group.key}</Text>
                  {!group.from && <Badge variant="outline" color="gray" className="sb-badge">{`not in ${from}`}</Badge>}
                  {!group.to && <Badge variant="outline" color="gray" className="sb-badge">{`not in ${to}`}</Badge>}
                </Group>
                <Differences of={group.differences} />
                {group.from && !group.copies && (
                  <Text size="sm" c="dimmed">
                    Who is in it belongs to each environment, so only groups by conditions can be promoted.
                  </Text>
                )}
              </Box>
            </Group>
          </Box>
        ))}
      </Box>
    </Paper>
  );
}

function toggled(chosen: readonly string[], key: string, on: boolean): readonly string[] {
  return on ? [...chosen, key] : chosen.filter((each) => each !== key);
}
