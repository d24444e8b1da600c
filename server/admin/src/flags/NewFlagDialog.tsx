import { Alert, Button, Checkbox, Group, Modal, Select, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import type { CreateFlag, FlagWritten } from "../../../src/api-types.ts";
import { ApiError, call, projectPath, sentenceOfError } from "../api.ts";
import { type Issue, ProblemsProvider, useTyped } from "../problems.tsx";
import { flagQuery, flagsQuery, type Place } from "../queries.ts";
import { announceChange } from "../undo.tsx";
import { useFlagActions } from "./actions.tsx";
import { flagKeyProblem } from "./flag-key.ts";
import { NewVariants } from "./NewVariants.tsx";
import { firstVariants, type NewVariant, newVariantsBody, newVariantsProblem } from "./new-variants.ts";
import type { FlagType } from "./variants.ts";

const NO_ISSUES: readonly Issue[] = [];

interface NewFlagProps {
  readonly place: Place;
  /** What the field of the key holds at first. */
  readonly initialKey?: string | undefined;
  readonly onClose: () => void;
}

/** A new flag is off in every environment, so that making one never changes what anybody sees. */
export function NewFlagDialog({ place, opened, initialKey = "", onClose }: NewFlagProps & { readonly opened: boolean }) {
  return (
    <Modal opened={opened} onClose={onClose} title="New flag">
      <ProblemsProvider issues={NO_ISSUES}>
        <NewFlagForm place={place} initialKey={initialKey} onClose={onClose} />
      </ProblemsProvider>
    </Modal>
  );
}

const TYPES: { value: FlagType; label: string }[] = [
  { value: "boolean", label: "On or off" },
  { value: "string", label: "Text" },
  { value: "number", label: "Numbers" },
  { value: "json", label: "JSON" },
];

function NewFlagForm({ place, initialKey = "", onClose }: NewFlagProps) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const { save } = useFlagActions(place);
  const [key, setKey] = useState(initialKey);
  const [description, setDescription] = useState("");
  const [browser, setBrowser] = useState(false);
  const [type, setType] = useState<FlagType>("boolean");
  const [variants, setVariants] = useState<readonly NewVariant[]>([]);
  const [tried, setTried] = useState(false);
  const typed = useTyped();

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
    if (flagKeyProblem(key) !== undefined || typed !== undefined || newVariantsProblem(variants) !== undefined) return;
    create.mutate({
      key,
      browser,
      ...(description === "" ? {} : { description }),
      ...(type === "boolean" ? {} : { type, ...newVariantsBody(variants) }),
    });
  }

  const wasUsed = create.error instanceof ApiError && create.error.code === "FLAG_KEY_USED";
  const issues = create.error instanceof ApiError ? create.error.issues : [];
  const shownAtFields =
    issues.length > 0 && issues.every(({ path }) => path === "key" || (type !== "boolean" && /^(values|on|off)/.test(path)));

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
          error={(tried && flagKeyProblem(key)) || issues.find(({ path }) => path === "key")?.message}
        />
        <Textarea
          label="Description"
          placeholder="What it turns on, for whoever meets it in a year"
          autosize
          minRows={2}
          value={description}
          onChange={(event) => setDescription(event.currentTarget.value)}
        />
        <Select
          label="What it serves"
          description={type === "boolean" ? "On or off: all that most flags need." : "Several variants with values of their own."}
          data={TYPES}
          allowDeselect={false}
          value={type}
          onChange={(next) => {
            if (!next) return;
            setType(next as FlagType);
            setVariants(next === "boolean" ? [] : firstVariants(next as FlagType));
          }}
        />
        {type !== "boolean" && (
          <NewVariants key={type} type={type} variants={variants} issues={issues} tried={tried} onChange={setVariants} />
        )}
        <Checkbox
          label="Visible in browsers"
          description="Its rules are sent to browsers, where anybody can read them."
          checked={browser}
          onChange={(event) => setBrowser(event.currentTarget.checked)}
        />
        {create.isError && !shownAtFields && (
          <Alert role="alert" color="red" variant="outline">
            <Stack gap="xs" align="flex-start">
              {wasUsed ? `${sentenceOfError(create.error).split(";")[0]}.` : sentenceOfError(create.error)}
              {wasUsed && create.variables && (
                <Button size="xs" variant="default" onClick={() => create.mutate({ ...create.variables, reuse: true })}>
                  Give the key again
                </Button>
              )}
            </Stack>
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
