import { Alert, Button, Group, Modal, Radio, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { Condition, GroupKind, Group as GroupShape } from "../../../src/api-types.ts";
import { ApiError, sentenceOfError } from "../api.ts";
import { ConditionBuilder } from "../conditions/ConditionBuilder.tsx";
import { emptyLeaf, incomplete } from "../conditions/edit.ts";
import { type Issue, ProblemsProvider, useTyped } from "../problems.tsx";
import { groupsQuery, type Place } from "../queries.ts";
import { useGroupActions } from "./actions.ts";
import { groupKeyProblem, KIND_MEANS, KIND_WORDS } from "./kinds.ts";

interface NewGroupDialogProps {
  readonly place: Place;
  readonly opened: boolean;
  /** The kind chosen at first. */
  readonly kind?: GroupKind;
  readonly onClose: () => void;
  readonly onCreated: (group: GroupShape) => void;
}

export function NewGroupDialog(props: NewGroupDialogProps) {
  const [issues, setIssues] = useState<readonly Issue[]>([]);
  return (
    <Modal opened={props.opened} onClose={props.onClose} title={props.kind === "early-access" ? "New early access" : "New group"} size="lg">
      <ProblemsProvider issues={issues}>
        <NewGroupForm {...props} onRefused={setIssues} />
      </ProblemsProvider>
    </Modal>
  );
}

const KINDS = Object.keys(KIND_WORDS) as GroupKind[];

interface NewGroupFormProps extends NewGroupDialogProps {
  readonly onRefused: (issues: readonly Issue[]) => void;
}

function NewGroupForm({ place, kind: first = "conditions", onClose, onCreated, onRefused }: NewGroupFormProps) {
  const typed = useTyped();
  const actions = useGroupActions(place);
  const groups = useQuery(groupsQuery(place));
  const [kind, setKind] = useState<GroupKind>(first);
  const [key, setKey] = useState("");
  const [name, setName] = useState("");
  const [by, setBy] = useState("key");
  const [when, setWhen] = useState<Condition>(emptyLeaf());
  const [tried, setTried] = useState(false);

  const create = useMutation({
    mutationFn: actions.create,
    onSuccess: (group) => {
      onClose();
      onCreated(group);
    },
    onError: (error) => onRefused(error instanceof ApiError ? error.issues : []),
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (typed !== undefined || groupKeyProblem(key) !== undefined || (kind === "conditions" && incomplete(when).length > 0)) return;
    create.mutate({
      key,
      kind,
      ...(name === "" ? {} : { name }),
      ...(kind === "conditions" ? { when } : by === "" || by === "key" ? {} : { by }),
    });
  }

  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <TextInput
          label="Key"
          placeholder={kind === "early-access" ? "beta" : "staff"}
          required
          data-autofocus
          autoCapitalize="none"
          spellCheck={false}
          value={key}
          onChange={(event) => setKey(event.currentTarget.value)}
          error={tried && groupKeyProblem(key)}
        />
        <TextInput
          label="Name"
          placeholder={kind === "early-access" ? "Early adopters" : "Staff"}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Radio.Group label="Who is in it" value={kind} onChange={(value) => setKind(value as GroupKind)}>
          <Stack gap="xs" mt={6}>
            {KINDS.map((value) => (
              <Radio key={value} value={value} label={KIND_WORDS[value]} description={KIND_MEANS[value]} />
            ))}
          </Stack>
        </Radio.Group>
        {kind === "conditions" ? (
          <Stack gap={6}>
            <Text size="sm" fw={500}>
              Conditions
            </Text>
            <ConditionBuilder
              condition={when}
              onChange={setWhen}
              groups={groups.data?.groups ?? []}
              label="In the group when"
              path="when"
            />
          </Stack>
        ) : (
          <TextInput
            label="Attribute"
            description="Which attribute of the context is listed: key, or another such as account.key"
            value={by}
            onChange={(event) => setBy(event.currentTarget.value)}
          />
        )}
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
