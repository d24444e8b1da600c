import { Badge, Box, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useLocation } from "@tanstack/react-router";
import { useEffect } from "react";
import { sentenceOfError } from "../api.ts";
import { CopyText } from "../Copy.tsx";
import { instancesQuery, type Place, sdkKeysQuery } from "../queries.ts";
import { useEnvironment, usePlace, useTitle } from "../shell/place.ts";
import { Ago } from "../time.tsx";
import { ContextsCard } from "./ContextsCard.tsx";
import { SecureModeCard } from "./SecureModeCard.tsx";
import { TokensCard } from "./TokensCard.tsx";

/** SDK keys, what becomes of contexts, connected programs and access tokens. `#programs` and the like lead to one of them. */
export function SettingsPage() {
  const place = usePlace();
  const { environment } = useEnvironment();
  const { hash } = useLocation();
  useTitle("Settings", environment?.name);
  useEffect(() => {
    if (hash !== "") document.getElementById(hash)?.scrollIntoView();
  }, [hash]);
  return (
    <Stack gap="lg">
      <Title order={1} size="h2">
        Settings
      </Title>
      <SdkKeysCard place={place} />
      <SecureModeCard key={`secure ${place.environment}`} place={place} />
      <ContextsCard key={`contexts ${place.environment}`} place={place} />
      <ProgramsCard place={place} />
      <TokensCard />
    </Stack>
  );
}

function SdkKeysCard({ place }: { place: Place }) {
  const keys = useQuery(sdkKeysQuery(place));
  const { environment } = useEnvironment();
  return (
    <Paper className="sb-card" p="md" component="section" id="keys" aria-labelledby="keys-title">
      <Stack gap="sm">
        <Title order={2} size="h4" id="keys-title">
          SDK keys of {environment?.name ?? place.environment}
        </Title>
        {keys.isError && <Text size="sm">{sentenceOfError(keys.error)}</Text>}
        {keys.data && (
          <>
            <SdkKey label="Server" what="server key" text={keys.data.server} note="A secret: for programs on your servers only." />
            <SdkKey
              label="Browser"
              what="browser key"
              text={keys.data.browser}
              note="Public: sees only flags that are visible in browsers."
            />
            <SdkKey label="URL" what="URL" text={keys.data.url} note="Where programs reach this server." />
          </>
        )}
      </Stack>
    </Paper>
  );
}

function SdkKey({ label, what, text, note }: { label: string; what: string; text: string; note: string }) {
  return (
    <Box>
      <Group gap="xs" mb={4}>
        <Text size="sm" fw={600}>
          {label}
        </Text>
        <Text size="sm" c="dimmed">
          {note}
        </Text>
      </Group>
      <Group gap="xs" wrap="nowrap">
        <Text size="sm" ff="monospace" flex={1} miw={0} className="sb-secret">
          {text}
        </Text>
        <CopyText text={text} what={what} />
      </Group>
    </Box>
  );
}

function ProgramsCard({ place }: { place: Place }) {
  const { environment } = useEnvironment();
  const programs = useQuery(instancesQuery(place));
  const list = programs.data?.instances ?? [];
  return (
    <Paper className="sb-card" p="md" component="section" id="programs" aria-labelledby="programs-title">
      <Title order={2} size="h4" id="programs-title" mb="xs">
        Connected programs in {environment?.name ?? place.environment} ({list.length})
      </Title>
      {programs.isError && <Text size="sm">{sentenceOfError(programs.error)}</Text>}
      {programs.data && list.length === 0 && (
        <Text size="sm" c="dimmed">
          None now. A program appears here as soon as it connects with a key of this environment.
        </Text>
      )}
      <Box component="ul" className="sb-list" aria-labelledby="programs-title">
        {list.map((instance) => (
          <Box component="li" key={instance.instance} className="sb-row" py={8}>
            <Group gap={8}>
              <Text size="sm" fw={600}>
                {instance.app || "unnamed"}
              </Text>
              <Badge size="sm" variant="outline" color="gray" className="sb-badge">
                {instance.kind}
              </Badge>
            </Group>
            <Text size="xs" c="dimmed">
              {instance.sdk} · connected <Ago at={instance.connectedAt} /> ·{" "}
              {instance.revision === null ? "no kill acknowledged yet" : `acknowledged revision ${instance.revision}`} · instance{" "}
              {instance.instance}
            </Text>
          </Box>
        ))}
      </Box>
    </Paper>
  );
}
