import { Paper, Stack, Text, Title } from "@mantine/core";
import { useLocation } from "@tanstack/react-router";
import { useEffect } from "react";
import { useEnvironment, usePlace, useTitle } from "../shell/place.ts";
import { SdkKeysCard } from "./SdkKeysCard.tsx";
import { TokensCard } from "./TokensCard.tsx";

/** What lets programs in: SDK keys of the environment, for admins of it, and tokens. `#keys` and `#tokens` lead to one of them. */
export function KeysPage() {
  const place = usePlace();
  const { environment } = useEnvironment();
  const { hash } = useLocation();
  useTitle("Keys and tokens", environment?.name);
  useEffect(() => {
    if (hash !== "") document.getElementById(hash)?.scrollIntoView();
  }, [hash]);
  return (
    <Stack gap="lg">
      <Title order={1} size="h2">
        Keys and tokens
      </Title>
      {environment?.may.includes("admin") === false ? (
        <Paper className="sb-card" p="md">
          <Text>The SDK keys of {environment.name} are shown to its admins.</Text>
        </Paper>
      ) : (
        <SdkKeysCard key={place.environment} place={place} />
      )}
      <TokensCard />
    </Stack>
  );
}
