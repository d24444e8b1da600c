import { Alert, Button, Group, Modal, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { ConfigurationPatch, Flag, PatchFlag } from "../../../src/api-types.ts";
import { sentenceOfError } from "../api.ts";
import { flagQuery, type Place } from "../queries.ts";
import { Loading } from "../shell/Failure.tsx";
import { useFlagActions } from "./actions.tsx";
import { flagKeyProblem } from "./flag-key.ts";

export type DescribeKind = "rename" | "describe" | "archive";

const TITLES = { rename: "Rename", describe: "Describe", archive: "Archive" } as const;

/** Small edits from the menu of a row. */
export function DescribeDialog({
  place,
  flagKey,
  kind,
  onClose,
}: {
  place: Place;
  flagKey: string;
  kind: DescribeKind;
  onClose: () => void;
}) {
  const { data: flag } = useQuery(flagQuery(place, flagKey));
  return (
    <Modal opened onClose={onClose} title={`${TITLES[kind]} ${flagKey}`}>
      {flag ? <Form place={place} flag={flag} kind={kind} onClose={onClose} /> : <Loading what={flagKey} />}
    </Modal>
  );
}

type Edits = [PatchFlag, ConfigurationPatch];

function Form({ place, flag, kind, onClose }: { place: Place; flag: Flag; kind: DescribeKind; onClose: () => void }) {
  const { change } = useFlagActions(place);
  const [key, setKey] = useState(flag.key);
  const [name, setName] = useState(flag.name);
  const [description, setDescription] = useState(flag.description);
  const write = useMutation({
    mutationFn: ({ title, edits, back }: { title: string; edits: Edits; back: Edits }) => change(title, flag, edits, back),
    onSuccess: onClose,
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    if (kind === "rename") {
      if (flagKeyProblem(key) !== undefined) return;
      write.mutate({ title: `Renamed ${flag.key} to ${key}`, edits: [{ key }, {}], back: [{ key: flag.key }, {}] });
    } else if (kind === "describe") {
      const back = { name: flag.name, description: flag.description };
      write.mutate({ title: `Described ${flag.key}`, edits: [{ name, description }, {}], back: [back, {}] });
    } else {
      const archived = !flag.archived;
      const title = archived ? `Archived ${flag.key}` : `Took ${flag.key} out of the archive`;
      write.mutate({ title, edits: [{}, { archived }], back: [{}, { archived: flag.archived }] });
    }
  }

  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        {kind === "rename" && (
          <TextInput
            label="New key"
            description={`Programs that ask for ${flag.key} go on getting the answer. Who is inside a percentage stays inside.`}
            data-autofocus
            value={key}
            onChange={(event) => setKey(event.currentTarget.value)}
            error={flagKeyProblem(key)}
          />
        )}
        {kind === "describe" && (
          <>
            <TextInput label="Name" data-autofocus value={name} onChange={(event) => setName(event.currentTarget.value)} />
            <Textarea
              label="Description"
              autosize
              minRows={3}
              value={description}
              onChange={(event) => setDescription(event.currentTarget.value)}
            />
          </>
        )}
        {kind === "archive" && (
          <Text>
            {flag.archived
              ? `${flag.key} comes back to the list of ${place.environment} with the configuration that it had: ${flag.sentence}`
              : `In ${place.environment}, ${flag.key} leaves the list and everybody gets its off variant. Its configuration is kept.`}
          </Text>
        )}
        {write.isError && (
          <Alert role="alert" color="red" variant="outline">
            {sentenceOfError(write.error)}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={write.isPending} data-autofocus={kind === "archive" ? true : undefined}>
            {kind === "archive" ? (flag.archived ? "Take out of the archive" : "Archive") : "Save"}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
