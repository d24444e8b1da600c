import { Alert, Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { CreateInvitation, HeldRole, InvitationCreated } from "../../../src/api-types.ts";
import { call, sentenceOfError } from "../api.ts";
import { Copyable } from "../Copy.tsx";
import { projectsQuery } from "../queries.ts";
import { placeWords, refreshPeople, roleWord } from "./people.ts";
import { RoleFields, useFirstRole } from "./RoleFields.tsx";

export function InviteDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Invite somebody">
      <Invite onClose={onClose} />
    </Modal>
  );
}

function Invite({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const { data } = useQuery(projectsQuery);
  const first = useFirstRole();
  const [chosen, setChosen] = useState<HeldRole>();
  const [note, setNote] = useState("");
  const role = chosen ?? first;
  const invite = useMutation({
    mutationFn: (body: CreateInvitation) => call<InvitationCreated>("POST", "/api/v1/invitations", { body }),
    onSuccess: () => refreshPeople(client),
  });

  if (invite.data) {
    const [given] = invite.data.roles;
    return (
      <Stack>
        <Text>
          Send this link to whom you invite. It is shown once, works once, and until {new Date(invite.data.expiresAt).toLocaleString()}.
        </Text>
        <Copyable text={invite.data.url} what="invitation link" />
        <Text size="sm" c="dimmed">
          Whoever opens it becomes {given && `${roleWord(given.role)}, ${placeWords(given, data?.projects ?? [])}`}.
        </Text>
        <Group justify="flex-end">
          <Button onClick={onClose}>Done</Button>
        </Group>
      </Stack>
    );
  }
  function submit(event: FormEvent) {
    event.preventDefault();
    if (role) invite.mutate({ roles: [role], note });
  }
  return (
    <form onSubmit={submit}>
      <Stack>
        <RoleFields value={role} onChange={setChosen} />
        <TextInput
          label="For whom"
          description="A note for admins; it is not shown to whoever opens the link"
          maxLength={200}
          value={note}
          onChange={(event) => setNote(event.currentTarget.value)}
        />
        {invite.isError && (
          <Alert role="alert" color="red" variant="outline">
            {sentenceOfError(invite.error)}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={invite.isPending}>
            Make the link
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
