import { Box, Button, Group, Paper, Select, Stack, Text, Title } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { flagsQuery, groupsQuery } from "../queries.ts";
import { Failure, Loading } from "../shell/Failure.tsx";
import { AnchorLink } from "../shell/links.tsx";
import { useEnvironment, usePlace, useTitle } from "../shell/place.ts";
import { AsItWas } from "./AsItWas.tsx";
import { ChangeRow } from "./ChangeRow.tsx";
import { historyQuery, type Target } from "./queries.ts";
import { RevertDialog } from "./RevertDialog.tsx";

export interface HistorySearch {
  readonly flag?: string;
  readonly group?: string;
}

/** What was changed in the environment, or of one flag or group: by whom, when and why, and how to take it back. */
export function HistoryPage() {
  const place = usePlace();
  const { environment } = useEnvironment();
  const { flag, group } = useSearch({ from: "/$project/$environment/history" });
  const history = useInfiniteQuery(historyQuery(place, { ...(flag !== undefined && { flag }), ...(group !== undefined && { group }) }));
  const [target, setTarget] = useState<Target>();
  const [when, setWhen] = useState<number | string>();
  useTitle(flag === undefined ? "History" : `History of ${flag}`, environment?.name);

  if (history.isError && !history.data) return <Failure error={history.error} retry={() => void history.refetch()} />;
  if (!history.data) return <Loading what="the history" />;
  const [first] = history.data.pages;
  const changes = history.data.pages.flatMap((page) => page.changes);
  const beginning = first?.beginning ?? 0;
  return (
    <Stack gap="lg">
      <Group justify="space-between" align="flex-end">
        <Title order={1} size="h2">
          {flag ?? group ?? "History"}
          {(flag ?? group) !== undefined && (
            <Text span c="dimmed" inherit>
              {" "}
              · history
            </Text>
          )}
        </Title>
        <OfWhat of={flag === undefined ? (group === undefined ? undefined : `group ${group}`) : `flag ${flag}`} />
      </Group>
      {flag !== undefined && (
        <AnchorLink to="/$project/$environment/flags/$flag" params={{ ...place, flag }} size="sm">
          To the flag
        </AnchorLink>
      )}
      <Paper className="sb-card" p="md" component="section" aria-labelledby="changes">
        <Title order={2} size="h4" id="changes" mb="xs">
          Changes
        </Title>
        {changes.length === 0 && <Text size="sm">Nothing was changed yet.</Text>}
        <Box component="ul" className="sb-list" aria-labelledby="changes">
          {changes.map((change) => (
            <ChangeRow
              key={change.revision}
              place={place}
              change={change}
              flag={flag}
              beginning={beginning}
              onRevert={setTarget}
              onThen={(revision) => {
                setWhen(revision);
                document.getElementById("as-it-was")?.scrollIntoView({ behavior: "smooth" });
              }}
            />
          ))}
        </Box>
        {history.hasNextPage && (
          <Button variant="default" mt="sm" loading={history.isFetchingNextPage} onClick={() => void history.fetchNextPage()}>
            Show older changes
          </Button>
        )}
      </Paper>
      <AsItWas place={place} when={when} onChange={setWhen} />
      <RevertDialog place={place} target={target} onClose={() => setTarget(undefined)} />
    </Stack>
  );
}

/** Narrows the history to one flag or group. */
function OfWhat({ of }: { of: string | undefined }) {
  const place = usePlace();
  const navigate = useNavigate();
  const flags = useQuery(flagsQuery(place));
  const groups = useQuery(groupsQuery(place));
  const names = [
    ...(flags.data?.flags.map(({ key }) => `flag ${key}`) ?? []),
    ...(groups.data?.groups.map(({ key }) => `group ${key}`) ?? []),
  ];
  return (
    <Select
      label="Only of"
      placeholder="everything"
      clearable
      searchable
      limit={50}
      w={{ base: "100%", sm: 260 }}
      data={of === undefined || names.includes(of) ? names : [of, ...names]}
      value={of ?? null}
      onChange={(chosen) => {
        const [, kind, key] = /^(flag|group) (.+)$/.exec(chosen ?? "") ?? [];
        const search: HistorySearch = kind === "flag" && key ? { flag: key } : kind === "group" && key ? { group: key } : {};
        void navigate({ to: "/$project/$environment/history", params: place, search });
      }}
    />
  );
}
