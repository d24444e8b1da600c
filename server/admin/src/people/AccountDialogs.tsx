import { Alert, Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Account, HeldRole, ResetLink } from "../../../src/api-types.ts";
import { call, sentenceOfError } from "../api.ts";
import { Copyable } from "../Copy.tsx";
import { projectsQuery } from "../queries.ts";
import { announceChange } from "../undo.tsx";
import { accountPath, placeWords, refreshPeople, roleWord } from "./people.ts";
import { RoleFields, useFirstRole } from "./RoleFields.tsx";

/** What is asked before an account is changed. */
export interface Asked {
  readonly what: "role" | "reset" | "disable" | "delete";
  readonly account: Account;
}

const TITLES: Readonly<Record<Asked["what"], (account: Account) => string>> = {
  role: ({ name }) => `Give ${name} a role`,
  reset: ({ name }) => `New password for ${name}`,
  disable: ({ name, disabled }) => `${disabled ? "Enable" : "Disable"} ${name}`,
  delete: ({ name }) => `Delete ${name}`,
};

export function AccountDialogs({ asked, onClose }: { asked: Asked | undefined; onClose: () => void }) {
  return (
    <Modal opened={asked !== undefined} onClose={onClose} title={asked && TITLES[asked.what](asked.account)}>
      {asked?.what === "role" && <GiveRole account={asked.account} onClose={onClose} />}
      {asked?.what === "reset" && <Reset account={asked.account} onClose={onClose} />}
      {asked?.what === "disable" && <Disable account={asked.account} onClose={onClose} />}
      {asked?.what === "delete" && <Delete account={asked.account} onClose={onClose} />}
    </Modal>
  );
}

interface DialogProps {
  readonly account: Account;
  readonly onClose: () => void;
}

function GiveRole({ account: { name }, onClose }: DialogProps) {
  const { data } = useQuery(projectsQuery);
  const first = useFirstRole();
  const [chosen, setChosen] = useState<HeldRole>();
  const role = chosen ?? first;
  const give = useChange(async () => {
    if (!role) return undefined;
    await call("POST", `${accountPath(name)}/roles`, { body: role });
    return `${name} is now ${roleWord(role.role)}, ${placeWords(role, data?.projects ?? [])}`;
  }, onClose);
  return (
    <Stack>
      <RoleFields value={role} onChange={setChosen} />
      <Text size="sm" c="dimmed">
        It takes the place of the role that they have at the same place.
      </Text>
      <Foot change={give} word="Give the role" onClose={onClose} />
    </Stack>
  );
}

function Reset({ account: { name }, onClose }: DialogProps) {
  const link = useMutation({ mutationFn: () => call<ResetLink>("POST", `${accountPath(name)}/reset-link`, { body: {} }) });
  if (link.data) {
    return (
      <Stack>
        <Text>
          Send this link to {name}. It is shown once, works once, and until {new Date(link.data.expiresAt).toLocaleString()}.
        </Text>
        <Copyable text={link.data.url} what="link" />
        <Group justify="flex-end">
          <Button onClick={onClose}>Done</Button>
        </Group>
      </Stack>
    );
  }
  return (
    <Stack>
      <Text>
        The link lets whoever opens it set a new password for {name} and sign in. All sessions of {name} end when it is used.
      </Text>
      <Foot change={link} word="Make the link" onClose={onClose} />
    </Stack>
  );
}

function Disable({ account: { name, disabled }, onClose }: DialogProps) {
  const change = useChange(async () => {
    await call("PATCH", accountPath(name), { body: { disabled: !disabled } });
    return `${name} is ${disabled ? "enabled" : "disabled"}`;
  }, onClose);
  return (
    <Stack>
      <Text>
        {disabled
          ? `${name} can sign in again, with the roles as they are.`
          : `${name} cannot sign in any more; their sessions end now, and their personal tokens are refused until the account is enabled again.`}
      </Text>
      <Foot change={change} word={disabled ? "Enable" : "Disable"} onClose={onClose} />
    </Stack>
  );
}

function Delete({ account: { name }, onClose }: DialogProps) {
  const change = useChange(async () => {
    await call("DELETE", accountPath(name));
    return `${name} is deleted`;
  }, onClose);
  return (
    <Stack>
      <Text>
        The account goes with its roles, sessions and personal tokens. What {name} did stays in the history. This cannot be undone: to keep
        somebody out for a while, disable the account.
      </Text>
      <Foot change={change} word="Delete the account" danger onClose={onClose} />
    </Stack>
  );
}

/** Does it, says what was done, and reads the people anew. */
function useChange(run: () => Promise<string | undefined>, onClose: () => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: run,
    onSuccess: async (done) => {
      onClose();
      if (done) announceChange({ title: done });
      await refreshPeople(client);
    },
  });
}

interface FootProps {
  readonly change: { readonly isPending: boolean; readonly isError: boolean; readonly error: unknown; mutate(): void };
  readonly word: string;
  readonly danger?: boolean;
  readonly onClose: () => void;
}

function Foot({ change, word, danger = false, onClose }: FootProps) {
  return (
    <>
      {change.isError && (
        <Alert role="alert" color="red" variant="outline">
          {sentenceOfError(change.error)}
        </Alert>
      )}
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button {...(danger && { color: "red.9" })} loading={change.isPending} onClick={() => change.mutate()}>
          {word}
        </Button>
      </Group>
    </>
  );
}
