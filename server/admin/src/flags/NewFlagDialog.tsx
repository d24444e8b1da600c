import { Alert, Button, Checkbox, Group, Modal, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import type { CreateFlag, FlagWritten } from "../../../src/api-types.ts";
import { call, projectPath, sentenceOfError } from "../api.ts";
import { flagQuery, flagsQuery, type Place } from "../queries.ts";
import { announceChange } from "../undo.tsx";
import { useFlagActions } from "./actions.tsx";
import { flagKeyProblem } from "./flag-key.ts";

/** A new flag is off in every environment, so that making one never changes what anybody sees. */
export function NewFlagDialog({ place, opened, onClose }: { place: Place; opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="New flag">
      <NewFlagForm place={place} onClose={onClose} />
    </Modal>
  );
}

function NewFlagForm({ place, onClose }: { place: Place; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const { save } = useFlagActions(place);
  const [key, setKey] = useState("");
  const [description, setDescription] = useState("");
  const [browser, setBrowser] = useState(false);
  const [tried, setTried] = useState(false);

  const create = useMutation({
    mutationFn: (body: CreateFlag) => call<FlagWritten>("POST", `${projectPath(place.project)}/flags`, { body }),
    onSuccess: async ({ flag }) => {
      onClose();
      await client.invalidateQueries({ queryKey: flagsQuery(place).queryKey });
      // The answer shows the first environment of the project, which need not be this one.
      const here = await client.query(flagQuery(place, flag.key));
      announceChange({
        title: `Made ${flag.key}; it is off everywhere`,
        details: <Text size="sm">Undo archives it in {place.environment}.</Text>,
        undo: () => save(here, {}, { archived: true }),
      });
      await navigate({ to: "/$project/$environment/flags/$flag", params: { ...place, flag: flag.key } });
    },
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (flagKeyProblem(key) !== undefined) return;
    create.mutate({ key, browser, ...(description === "" ? {} : { description }) });
  }

  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <TextInput
          label="Key"
          description="What programs ask for, such as new-checkout. It can be renamed; the old key goes on answering."
          placeholder="new-checkout"
          required
          data-autofocus
          autoCapitalize="none"
          spellCheck={false}
          value={key}
          onChange={(event) => setKey(event.currentTarget.value)}
          error={tried && flagKeyProblem(key)}
        />
        <Textarea
          label="Description"
          placeholder="What it turns on, for whoever meets it in a year"
          autosize
          minRows={2}
          value={description}
          onChange={(event) => setDescription(event.currentTarget.value)}
        />
        <Checkbox
          label="Visible in browsers"
          description="Its rules are sent to browsers, where anybody can read them."
          checked={browser}
          onChange={(event) => setBrowser(event.currentTarget.checked)}
        />
        {create.isError && (
          <Alert role="alert" color="red" variant="outline">
            {sentenceOfError(create.error)}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending}>
            Create
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
