import { Alert, Badge, Grid, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { IconHandStop } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import type { Flag, Group as GroupShape } from "../../../src/api-types.ts";
import { killKey, useLive } from "../live.ts";
import { ProblemsProvider } from "../problems.tsx";
import { flagQuery, groupsQuery, type Place } from "../queries.ts";
import { Failure, Loading } from "../shell/Failure.tsx";
import { AnchorLink } from "../shell/links.tsx";
import { useEnvironment, usePlace, useTitle } from "../shell/place.ts";
import { Ago } from "../time.tsx";
import { KillEffect } from "../usage/KillEffect.tsx";
import { UsageCard } from "../usage/UsageCard.tsx";
import { BrowserCard } from "./BrowserCard.tsx";
import { sentenceFor } from "./body.ts";
import { DetailsCard } from "./DetailsCard.tsx";
import { shown } from "./draft.ts";
import { EndDialog } from "./EndDialog.tsx";
import { KillButton } from "./KillButton.tsx";
import { LinkList } from "./LinksField.tsx";
import { NeedsCard } from "./NeedsCard.tsx";
import { ReceiptLine } from "./ReceiptLine.tsx";
import { type Refused, standing } from "./refused.ts";
import { StagingBar } from "./StagingBar.tsx";
import { StateChip } from "./StateChip.tsx";
import { TryCard } from "./TryCard.tsx";
import { useDraft } from "./use-draft.ts";
import { VariantsCard } from "./VariantsCard.tsx";
import { WhoCard } from "./WhoCard.tsx";

export function FlagPage() {
  const place = usePlace();
  const { flag: key } = useParams({ from: "/$project/$environment/flags/$flag" });
  const flag = useQuery(flagQuery(place, key));
  const groups = useQuery(groupsQuery(place));
  const { environment } = useEnvironment();
  useTitle(key, environment?.name);

  if (flag.isError && !flag.data) return <Failure error={flag.error} retry={() => void flag.refetch()} />;
  if (!flag.data) return <Loading what={key} />;
  // Another flag or place is another page: what is folded open and typed into it does not carry over.
  return <Page key={`${place.environment}/${flag.data.key}`} place={place} flag={flag.data} groups={groups.data?.groups ?? []} />;
}

function Page({ place, flag, groups }: { place: Place; flag: Flag; groups: readonly GroupShape[] }) {
  const draft = useDraft(place, flag);
  const [round, setRound] = useState(0);
  const handle = {
    ...draft,
    discard() {
      draft.discard();
      setRound((last) => last + 1);
    },
  };
  const fields = shown(handle.draft);
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const [ending, setEnding] = useState<"archive" | "revive" | "delete">();
  const [refused, setRefused] = useState<Refused>();
  const issues = useMemo(() => standing(refused, fields), [refused, fields]);
  const groupName = useMemo(() => {
    const names = new Map(groups.map((group) => [group.key, group.name || group.key]));
    return (key: string) => names.get(key) ?? key;
  }, [groups]);
  const sentence = useMemo(() => sentenceFor(flag, fields, groupName), [flag, fields, groupName]);
  const unsaved = Object.keys(handle.draft.edits).length > 0;

  return (
    <ProblemsProvider issues={issues} round={round}>
      <Stack gap="lg">
        <Header place={place} flag={flag} />
        <KilledNote place={place} flag={flag} />
        <Text size="lg" className="sb-sentence">
          {sentence}
          {unsaved && (
            <Badge ml={8} color="indigo" variant="outline">
              with your edits
            </Badge>
          )}
        </Text>
        {flag.warnings.map((warning) => (
          <Alert key={warning} color="orange" variant="outline">
            {warning}
          </Alert>
        ))}
        <Grid gap="lg">
          <Grid.Col span={{ base: 12, md: 8 }}>
            <Stack gap="lg">
              <WhoCard
                place={place}
                fields={fields}
                base={handle.draft.base}
                groups={groups}
                groupName={groupName}
                opened={opened}
                onOpen={(id) => setOpened(new Set([...opened, id]))}
                onEdit={handle.edit}
              />
              {flag.type !== "boolean" && <VariantsCard type={flag.type} fields={fields} onEdit={handle.edit} />}
              <NeedsCard place={place} flagKey={flag.key} fields={fields} onEdit={handle.edit} />
              <UsageCard place={place} flag={flag} />
              <DetailsCard flag={flag} fields={fields} onEdit={handle.edit} onEnd={setEnding} />
            </Stack>
          </Grid.Col>
          <Grid.Col span={{ base: 12, md: 4 }}>
            <Stack gap="lg">
              <TryCard place={place} flag={flag} edits={handle.draft.edits} fields={fields} />
              <BrowserCard place={place} flag={flag} fields={fields} onEdit={handle.edit} />
              <Elsewhere place={place} flag={flag} />
            </Stack>
          </Grid.Col>
        </Grid>
        {ending && <EndDialog place={place} flag={flag} how={ending} onClose={() => setEnding(undefined)} />}
        {unsaved && <StagingBar place={place} flag={flag} handle={handle} groupName={groupName} onRefused={setRefused} />}
      </Stack>
    </ProblemsProvider>
  );
}

function Header({ place, flag }: { place: Place; flag: Flag }) {
  return (
    <Stack gap={4}>
      <Group justify="space-between" align="flex-start" gap="sm">
        <Group gap="sm" miw={0}>
          <Title order={1} size="h2">
            {flag.key}
          </Title>
          <StateChip state={flag.state} archived={flag.archived} />
        </Group>
        {!flag.archived && <KillButton place={place} flag={flag} size="sm" />}
      </Group>
      {flag.name !== "" && flag.name !== flag.key && <Text fw={500}>{flag.name}</Text>}
      {flag.description !== "" && <Text c="dimmed">{flag.description}</Text>}
      <Text size="sm" c="dimmed">
        {flag.seen ? (
          <>
            last evaluated <Ago at={flag.seen.at} /> in {flag.seen.app}, as {flag.seen.variant}
          </>
        ) : (
          "never evaluated here"
        )}
        {" · changed "}
        <Ago at={flag.updatedAt} /> by {flag.updatedBy}
        {flag.aliases.length > 0 && ` · was called ${flag.aliases.join(", ")}`}
        {flag.stale && " · past its expected life"}
        {" · "}
        <AnchorLink to="/$project/$environment/history" params={place} search={{ flag: flag.key }} size="sm" underline="always">
          History
        </AnchorLink>
      </Text>
      <LinkList links={flag.links} />
    </Stack>
  );
}

function KilledNote({ place, flag }: { place: Place; flag: Flag }) {
  const { kills } = useLive();
  const revision = kills.get(killKey(place, flag.key));
  if (!flag.killed) return null;
  return (
    <Alert color="red" variant="outline" icon={<IconHandStop aria-hidden />} title={`Killed by ${flag.killed.by}`}>
      <Stack gap={4}>
        <Text size="sm">
          <Ago at={flag.killed.at} />
          {flag.killed.reason && `: ${flag.killed.reason}`}. Everybody gets the off variant; nothing else is changed, and edits made now
          take effect when it is restored.
          {flag.killed.edited && " Its configuration was edited after the kill, so restoring it needs the right to edit here."}
        </Text>
        {revision !== undefined && <ReceiptLine place={place} revision={revision} />}
        <KillEffect place={place} flag={flag} />
      </Stack>
    </Alert>
  );
}

function Elsewhere({ place, flag }: { place: Place; flag: Flag }) {
  const others = flag.environments.filter(({ environment }) => environment !== place.environment);
  if (others.length === 0) return null;
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="elsewhere">
      <Title order={2} size="h5" id="elsewhere" mb="xs">
        Other environments
      </Title>
      <Stack gap={8}>
        {others.map(({ environment, state }) => (
          <Group key={environment} justify="space-between" gap="xs">
            <AnchorLink to="/$project/$environment/flags/$flag" params={{ project: place.project, environment, flag: flag.key }} size="sm">
              {environment}
            </AnchorLink>
            <StateChip state={state} />
          </Group>
        ))}
      </Stack>
    </Paper>
  );
}
