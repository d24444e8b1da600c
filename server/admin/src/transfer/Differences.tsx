import { Box, Text } from "@mantine/core";
import type { Difference } from "../../../src/api-types.ts";

/** What would change, field by field. */
export function Differences({ of }: { of: readonly Difference[] }) {
  return (
    <Box component="ul" className="sb-list" m={0} pl={0} style={{ listStyle: "none" }}>
      {of.map(({ field, what, from, to }) => (
        <Text component="li" size="sm" key={field}>
          <Text span inherit c="dimmed">
            {what}:{" "}
          </Text>
          {from ?? "nothing"} → {to ?? "nothing"}
        </Text>
      ))}
    </Box>
  );
}
