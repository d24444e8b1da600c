import { Group, NativeSelect, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { HeldRole, Role } from "../../../src/api-types.ts";
import { projectsQuery, sessionQuery } from "../queries.ts";
import { grantablePlaces, ROLES } from "./people.ts";

/** The role and where it holds, of the places in which the reader may give roles. `value` is undefined until there is one. */
export function RoleFields({ value, onChange }: { value: HeldRole | undefined; onChange: (role: HeldRole) => void }) {
  const { data: session } = useQuery(sessionQuery);
  const { data } = useQuery(projectsQuery);
  const places = grantablePlaces(session, data?.projects ?? []);
  const [first] = places;
  if (!first) return null;
  const chosen = value ?? { role: "viewer", project: first.project, environment: first.environment };
  return (
    <>
      <Group grow align="flex-start" wrap="wrap" preventGrowOverflow={false}>
        <NativeSelect
          label="Role"
          data-autofocus
          data={ROLES.map(({ value, label }) => ({ value, label }))}
          value={chosen.role}
          onChange={(event) => onChange({ ...chosen, role: event.currentTarget.value as Role })}
        />
        <NativeSelect
          label="Where"
          data={places.map(({ value, label }) => ({ value, label }))}
          value={`${chosen.project ?? ""}/${chosen.environment ?? ""}`}
          onChange={(event) => {
            const place = places.find((each) => each.value === event.currentTarget.value) ?? first;
            onChange({ ...chosen, project: place.project, environment: place.environment });
          }}
        />
      </Group>
      <Text size="sm" c="dimmed">
        {ROLES.find((each) => each.value === chosen.role)?.may}
      </Text>
    </>
  );
}

/** What `RoleFields` shows before anything is chosen. */
export function useFirstRole(): HeldRole | undefined {
  const { data: session } = useQuery(sessionQuery);
  const { data } = useQuery(projectsQuery);
  const [first] = grantablePlaces(session, data?.projects ?? []);
  return first && { role: "viewer", project: first.project, environment: first.environment };
}
