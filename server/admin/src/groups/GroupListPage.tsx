import { Badge, Box, Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { groupsQuery } from "../queries.ts";
import { Failure, Loading } from "../shell/Failure.tsx";
import { AnchorLink } from "../shell/links.tsx";
import { useEnvironment, usePlace, useTitle } from "../shell/place.ts";
import { useMay } from "../shell/rights.tsx";
import { KIND_WORDS } from "./kinds.ts";
import { NewGroupDialog } from "./NewGroupDialog.tsx";

export function GroupListPage() {
  const place = usePlace();
  const { environment } = useEnvironment();
  const navigate = useNavigate();
  const list = useQuery(groupsQuery(place));
  const may = useMay();
  const [creating, setCreating] = useState(false);
  useTitle("Groups", environment?.name);

  if (list.isError && !list.data) return <Failure error={list.error} retry={() => void list.refetch()} />;
  if (!list.data) return <Loading what="the groups" />;
  const { groups } = list.data;
  return (
    <Stack gap="md">
      <Group justify="space-between">
        <Title order={1} size="h2">
          Groups
        </Title>
        <Button leftSection={<IconPlus size={18} aria-hidden />} disabled={!may("edit")} onClick={() => setCreating(true)}>
          New group
        </Button>
      </Group>
      {groups.length === 0 ? (
        <Paper className="sb-card" p="xl">
          <Stack gap="xs" align="flex-start">
            <Title order={2} size="h4">
              No group yet
            </Title>
            <Text>
              A group names a set of people once, for every flag: staff by their email address, customers by a list, or early adopters who
              sign up by themselves.
            </Text>
          </Stack>
        </Paper>
      ) : (
        <Paper className="sb-card" component="ul" m={0} p={0} aria-label="Groups" style={{ listStyle: "none" }}>
          {groups.map((group) => (
            <Box component="li" key={group.key} className="sb-row" px="md" py={10}>
              <Group justify="space-between" gap="sm">
                <Box miw={0} flex="1 1 220px">
                  <Group gap={8}>
                    <AnchorLink to="/$project/$environment/groups/$group" params={{ ...place, group: group.key }} fw={600} c="inherit">
                      {group.name || group.key}
                    </AnchorLink>
                    <Badge variant="outline" color="gray" className="sb-badge" size="sm">
                      {KIND_WORDS[group.kind]}
                    </Badge>
                  </Group>
                  <Text size="sm" c="dimmed" lineClamp={2}>
                    {group.sentence}
                  </Text>
                </Box>
                <Text size="sm" c="dimmed">
                  {group.kind !== "conditions" && `${group.members} ${group.kind === "list" ? "listed" : "joined"} · `}
                  {usedBy(group.usedBy.length)}
                </Text>
              </Group>
            </Box>
          ))}
        </Paper>
      )}
      <NewGroupDialog
        place={place}
        opened={creating}
        onClose={() => setCreating(false)}
        onCreated={(group) => void navigate({ to: "/$project/$environment/groups/$group", params: { ...place, group: group.key } })}
      />
    </Stack>
  );
}

function usedBy(count: number): string {
  if (count === 0) return "used by no flag";
  return count === 1 ? "used by 1 flag" : `used by ${count} flags`;
}
