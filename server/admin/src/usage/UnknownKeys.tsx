import { Box, Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { flagKeyProblem } from "../flags/flag-key.ts";
import { type Place, unknownKeysQuery } from "../queries.ts";
import { ButtonLink } from "../shell/links.tsx";
import { Ago } from "../time.tsx";

const SHOWN_MAX = 20;

/** Keys that programs ask for in vain: a slip of the pen, a flag that is yet to be made, or one that browsers may not see. */
export function UnknownKeys({ place, onCreate }: { place: Place; onCreate: (key: string) => void }) {
  const { data } = useQuery(unknownKeysQuery(place));
  if (!data || data.keys.length === 0) return null;
  const shown = data.keys.slice(0, SHOWN_MAX);
  return (
    <Stack gap="xs" component="section" aria-labelledby="unknown-keys">
      <Title order={2} size="h4" id="unknown-keys">
        Asked for in vain
      </Title>
      <Text size="sm" c="dimmed">
        Programs ask for these keys and get the default of the call.
      </Text>
      <Paper className="sb-card" component="ul" m={0} p={0} aria-labelledby="unknown-keys" style={{ listStyle: "none" }}>
        {shown.map(({ flag, hidden, app, count, at }) => (
          <Box key={`${flag} ${hidden}`} component="li" className="sb-row" px="md" py={10}>
            <Group justify="space-between" gap="xs">
              <Box miw={0} flex="1 1 220px">
                <Text fw={600} style={{ overflowWrap: "anywhere" }}>
                  {flag}
                </Text>
                <Text size="xs" c="dimmed">
                  {count.toLocaleString("en")} {count === 1 ? "time" : "times"}, last <Ago at={at} /> in {app}
                  {hidden ? ", by a page: this flag is not marked for browsers" : ""}
                </Text>
              </Box>
              {hidden ? (
                <ButtonLink size="xs" variant="default" to="/$project/$environment/flags/$flag" params={{ ...place, flag }}>
                  Look at it
                </ButtonLink>
              ) : flagKeyProblem(flag) === undefined ? (
                <Button
                  size="xs"
                  variant="default"
                  leftSection={<IconPlus size={16} aria-hidden />}
                  aria-label={`Create flag ${flag}`}
                  onClick={() => onCreate(flag)}
                >
                  Create flag
                </Button>
              ) : (
                <Text size="xs" c="dimmed">
                  No flag can have this key.
                </Text>
              )}
            </Group>
          </Box>
        ))}
      </Paper>
      {data.total > shown.length && (
        <Text size="sm" c="dimmed">
          And {(data.total - shown.length).toLocaleString("en")} more; these were asked for last.
        </Text>
      )}
    </Stack>
  );
}
