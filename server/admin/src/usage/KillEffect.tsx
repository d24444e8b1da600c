import { Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { Flag } from "../../../src/api-types.ts";
import { type Place, usageQuery } from "../queries.ts";
import { Ago } from "../time.tsx";

/** Whether a kill took effect, by what programs say that they served since. */
export function KillEffect({ place, flag }: { place: Place; flag: Flag }) {
  const { data } = useQuery(usageQuery(place, flag.key, 1));
  const since = data?.sinceKill;
  if (!since) return null;
  return (
    <Stack gap={2} role="status">
      <Text size="sm" fw={since.old > 0 ? 700 : 400}>
        {since.sentence}.
        {since.oldAt !== null && (
          <>
            {" "}
            The last of them <Ago at={since.oldAt} />.
          </>
        )}
      </Text>
      {since.apps.map(({ app, variant, count, firstAt, lastAt }) => (
        <Text key={`${app} ${variant}`} size="sm">
          {app} served {variant} {count.toLocaleString("en")} {count === 1 ? "time" : "times"}, first <Ago at={firstAt} />, last{" "}
          <Ago at={lastAt} />: look after this program.
        </Text>
      ))}
    </Stack>
  );
}
