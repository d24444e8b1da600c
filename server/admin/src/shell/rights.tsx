import { Alert, Container } from "@mantine/core";
import type { Environment } from "../../../src/api-types.ts";
import { useEnvironment } from "./place.ts";

export type Action = Environment["may"][number];

/** Whether the reader may do this in the environment of the page. True until that is known: nothing flickers, and the server refuses anyway. */
export function useMay(): (action: Action) => boolean {
  const { environment } = useEnvironment();
  return (action) => environment?.may.includes(action) ?? true;
}

/** The same of the whole project: its flags' names, new flags. */
export function useMayInProject(): (action: Action) => boolean {
  const { project } = useEnvironment();
  return (action) => project?.may.includes(action) ?? true;
}

const WORDS: readonly (readonly [Action, string])[] = [
  ["edit", "edit"],
  ["kill", "kill"],
  ["restore", "restore"],
];

/** Says above each page what the reader may not do here, which is why buttons are gray. */
export function RightsNote() {
  const { environment } = useEnvironment();
  const lacking = WORDS.filter(([action]) => environment && !environment.may.includes(action)).map(([, word]) => word);
  if (!environment || lacking.length === 0) return null;
  const has = WORDS.filter(([action]) => environment.may.includes(action)).map(([, word]) => word);
  const not = lacking.length === 1 ? lacking[0] : `${lacking.slice(0, -1).join(", ")} or ${lacking.at(-1)}`;
  return (
    <Container size="lg" pt="sm">
      <Alert color="gray" variant="outline" py={8} className="sb-rights">
        In {environment.name} you may look{has.length > 0 ? `, ${has.join(" and ")}` : ""}, but not {not}: an admin can give you a role that
        may.
      </Alert>
    </Container>
  );
}
