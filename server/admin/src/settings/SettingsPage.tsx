import { Box, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useLocation } from "@tanstack/react-router";
import { useEffect } from "react";
import { sentenceOfError } from "../api.ts";
import { CopyText } from "../Copy.tsx";
import { type Place, sdkKeysQuery } from "../queries.ts";
import { useEnvironment, usePlace, useTitle } from "../shell/place.ts";
import { ContextsCard } from "./ContextsCard.tsx";
import { SecureModeCard } from "./SecureModeCard.tsx";
import { TokensCard } from "./TokensCard.tsx";

/** SDK keys, what becomes of contexts and access tokens. `#keys` and the like lead to one of them. */
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
            <SdkKey
              label="Server"
              what="server key"
              text={keys.data.server ?? "none that can be shown"}
              note="A secret: for programs on your servers only."
            />
            <SdkKey
              label="Browser"
              what="browser key"
              text={keys.data.browser ?? "none that can be shown"}
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
