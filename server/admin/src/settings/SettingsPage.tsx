import { Paper, Stack, Title } from "@mantine/core";
import { useLocation } from "@tanstack/react-router";
import { useEffect } from "react";
import { AnchorLink } from "../shell/links.tsx";
import { useEnvironment, usePlace, useTitle } from "../shell/place.ts";
import { ContextsCard } from "./ContextsCard.tsx";
import { SecureModeCard } from "./SecureModeCard.tsx";

/** Secure mode, and what becomes of contexts. `#contexts` and the like lead to one of them. */
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
      <SecureModeCard key={`secure ${place.environment}`} place={place} />
      <ContextsCard key={`contexts ${place.environment}`} place={place} />
      <Paper className="sb-card" p="md" component="section" aria-labelledby="file">
        <Title order={2} size="h4" id="file" mb="xs">
          The project as a file
        </Title>
        <AnchorLink to="/$project/$environment/transfer" params={place}>
          Import or export {place.project}
        </AnchorLink>
      </Paper>
    </Stack>
  );
}
