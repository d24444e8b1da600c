import { Alert, Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { Flag } from "../../../src/api-types.ts";
import { sentenceOfError } from "../api.ts";
import { DeleteDialog } from "../environments/dialogs.tsx";
import type { Place } from "../queries.ts";
import { say } from "../undo.tsx";
import { useFlagActions } from "./actions.tsx";

/** Archives, revives or deletes a flag in every environment. */
export function EndDialog({
  place,
  flag,
  how,
  onClose,
}: {
  place: Place;
  flag: Flag;
  how: "archive" | "revive" | "delete";
  onClose: () => void;
}) {
  const { remove, setArchivedEverywhere } = useFlagActions(place);
  const navigate = useNavigate();
  const archive = useMutation({
    mutationFn: () => setArchivedEverywhere(flag, how === "archive"),
    onSuccess: () => {
      say("archive", how === "archive" ? `Archived ${flag.key} everywhere` : `Took ${flag.key} out of the archive everywhere`);
      onClose();
    },
  });
  if (how === "delete") {
    const live = flag.environments.filter(({ archived }) => !archived).map(({ environment }) => environment);
    return (
      <DeleteDialog
        what={`the flag ${flag.key}`}
        entryKey={flag.key}
        onClose={onClose}
        remove={async (reason) => {
          await remove(flag, reason);
          say("deleted", `Deleted ${flag.key}`);
          await navigate({ to: "/$project/$environment/flags", params: place });
        }}
      >
        <Text>
          It goes in every environment, and programs that still ask for it get their own default.
          {live.length > 0 && ` It is not archived in ${live.join(" and ")}.`} Its key is not given again by accident.
        </Text>
        {flag.perMinute > 0 && (
          <Alert color="orange" variant="outline">
            Programs ask for it {flag.perMinute.toLocaleString("en")} times a minute in {place.environment}.
          </Alert>
        )}
      </DeleteDialog>
    );
  }
  const names = flag.environments.map(({ environment }) => environment).join(" and ");
  return (
    <Modal opened onClose={onClose} title={how === "archive" ? `Archive ${flag.key} everywhere` : `Take ${flag.key} out of the archive`}>
      <Stack>
        <Text>
          {how === "archive"
            ? `In ${names}, everybody gets its off variant and it leaves the list. Its configuration is kept.`
            : `It comes back in ${names} with the configuration that it had: whoever got it before the archive gets it again.`}
        </Text>
        {archive.isError && (
          <Alert role="alert" color="red" variant="outline">
            {sentenceOfError(archive.error)}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button data-autofocus loading={archive.isPending} onClick={() => archive.mutate()}>
            {how === "archive" ? "Archive everywhere" : "Take it out everywhere"}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
