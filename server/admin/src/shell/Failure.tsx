import { Alert, Anchor, Button, Center, Container, Group, Loader } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { sentenceOfError } from "../api.ts";

/** A page that could not be shown, with the sentence why and the next step. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <Container size="sm" py="xl">
      <Alert role="alert" color="red" variant="outline" title="This page cannot be shown" icon={<IconAlertTriangle aria-hidden />}>
        {sentenceOfError(error)}
        <Group mt="md">
          <Button size="xs" variant="default" onClick={retry ?? (() => location.reload())}>
            Try again
          </Button>
          <Anchor href="/" size="sm">
            Go to the flags
          </Anchor>
        </Group>
      </Alert>
    </Container>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <Center py="xl">
      <Loader aria-label={`Loading ${what}`} />
    </Center>
  );
}
