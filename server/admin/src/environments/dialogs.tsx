import { Alert, Button, Group, Modal, Select, Stack, Switch, Text, TextInput } from "@mantine/core";
import { type FormEvent, type ReactNode, useState } from "react";
import type { CreateEnvironment, Environment, PatchEnvironment, Project } from "../../../src/api-types.ts";
import { sentenceOfError } from "../api.ts";
import { ColorDot } from "./ColorDot.tsx";
import { placeKeyProblem } from "./moved.ts";

type Color = NonNullable<CreateEnvironment["color"]>;

const COLORS: readonly Color[] = [
  "gray",
  "red",
  "pink",
  "grape",
  "violet",
  "indigo",
  "blue",
  "cyan",
  "teal",
  "green",
  "lime",
  "yellow",
  "orange",
];

interface FormProps {
  readonly children: ReactNode;
  readonly save: string;
  readonly danger?: boolean;
  readonly ready: boolean;
  readonly run: () => Promise<unknown>;
  readonly onClose: () => void;
}

/** What all dialogs of this page share: the refusal as a sentence, and that nothing is sent twice. */
function Form({ children, save, danger = false, ready, run, onClose }: FormProps) {
  const [running, setRunning] = useState(false);
  const [failure, setFailure] = useState<string>();
  async function submit(event: FormEvent) {
    event.preventDefault();
    if (!ready || running) return;
    setRunning(true);
    setFailure(undefined);
    try {
      await run();
      onClose();
    } catch (error) {
      setFailure(sentenceOfError(error));
    }
    setRunning(false);
  }
  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack>
        {children}
        {failure !== undefined && (
          <Alert role="alert" color="red" variant="outline">
            {failure}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" {...(danger && { color: "red.9" })} loading={running} disabled={!ready}>
            {save}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function ColorSelect({ color, onChange }: { color: Color; onChange: (color: Color) => void }) {
  return (
    <Select
      label="Color"
      allowDeselect={false}
      data={COLORS.map((value) => ({ value, label: value }))}
      leftSection={<ColorDot color={color} />}
      renderOption={({ option }) => (
        <Group gap="xs">
          <ColorDot color={option.value} />
          {option.label}
        </Group>
      )}
      value={color}
      onChange={(value) => value && onChange(value as Color)}
    />
  );
}

export function NewEnvironmentDialog({
  project,
  create,
  onClose,
}: {
  project: Project;
  create: (body: CreateEnvironment) => Promise<unknown>;
  onClose: () => void;
}) {
  const [key, setKey] = useState("");
  const [name, setName] = useState("");
  const [production, setProduction] = useState(false);
  const [color, setColor] = useState<Color>("blue");
  const [copyOf, setCopyOf] = useState<string | null>(null);
  return (
    <Modal opened onClose={onClose} title={`New environment of ${project.name}`}>
      <Form
        save="Make it"
        ready={key !== "" && placeKeyProblem(key) === undefined}
        onClose={onClose}
        run={() => create({ key, ...(name.trim() && { name }), production, color, ...(copyOf !== null && { copyOf }) })}
      >
        <TextInput
          label="Key"
          description="It stands in SDK keys and addresses, and is for good"
          data-autofocus
          value={key}
          onChange={(event) => setKey(event.currentTarget.value)}
          error={placeKeyProblem(key)}
        />
        <TextInput label="Name" placeholder={key} maxLength={100} value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <Switch
          label="Production"
          description="Changes are guarded, and every page says so"
          checked={production}
          onChange={(event) => setProduction(event.currentTarget.checked)}
        />
        <ColorSelect color={color} onChange={setColor} />
        <Select
          label="Flags"
          data={project.environments.map((one) => ({ value: one.key, label: `as in ${one.name}, with groups and members` }))}
          placeholder="all off"
          clearable
          value={copyOf}
          onChange={setCopyOf}
        />
      </Form>
    </Modal>
  );
}

export function EditEnvironmentDialog({
  environment,
  edit,
  onClose,
}: {
  environment: Environment;
  edit: (body: PatchEnvironment) => Promise<unknown>;
  onClose: () => void;
}) {
  const [name, setName] = useState(environment.name);
  const [production, setProduction] = useState(environment.production);
  const [color, setColor] = useState(environment.color as Color);
  const [reason, setReason] = useState("");
  const opens = environment.production && !production;
  return (
    <Modal opened onClose={onClose} title={`Edit ${environment.name}`}>
      <Form
        save="Save"
        ready={name.trim() !== "" && !(opens && reason.trim() === "")}
        onClose={onClose}
        run={() => edit({ name, production, color, ...(reason.trim() && { reason }) })}
      >
        <TextInput label="Name" data-autofocus maxLength={100} value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <ColorSelect color={color} onChange={setColor} />
        <Switch label="Production" checked={production} onChange={(event) => setProduction(event.currentTarget.checked)} />
        {opens && (
          <>
            <Alert color="orange" variant="outline">
              {environment.name} will be guarded as production no more: editors may change its flags, and a save is taken without having
              seen the newest state.
            </Alert>
            <TextInput label="Why" withAsterisk maxLength={500} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
          </>
        )}
        <Text size="xs" c="dimmed">
          Its key {environment.key} is for good: programs hold it in their SDK keys.
        </Text>
      </Form>
    </Modal>
  );
}

/** Typed out, because it cannot be taken back. */
export function DeleteDialog({
  what,
  entryKey,
  children,
  remove,
  onClose,
}: {
  what: string;
  entryKey: string;
  children: ReactNode;
  remove: (reason: string) => Promise<unknown>;
  onClose: () => void;
}) {
  const [typed, setTyped] = useState("");
  const [reason, setReason] = useState("");
  return (
    <Modal opened onClose={onClose} title={`Delete ${what}`}>
      <Form save="Delete it" danger ready={typed === entryKey} onClose={onClose} run={() => remove(reason.trim())}>
        {children}
        <TextInput
          label={`Type ${entryKey} to delete it`}
          data-autofocus
          autoComplete="off"
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <TextInput label="Why" maxLength={500} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
      </Form>
    </Modal>
  );
}

export function ProjectDialog({
  project,
  save,
  onClose,
}: {
  /** Undefined for a new one. */
  project?: Project | undefined;
  save: (fields: { key: string; name: string; description: string }) => Promise<unknown>;
  onClose: () => void;
}) {
  const [key, setKey] = useState(project?.key ?? "");
  const [name, setName] = useState(project?.name ?? "");
  const [description, setDescription] = useState(project?.description ?? "");
  const isNew = project === undefined;
  return (
    <Modal opened onClose={onClose} title={isNew ? "New project" : `Edit ${project.name}`}>
      <Form
        save={isNew ? "Make it" : "Save"}
        ready={key !== "" && placeKeyProblem(key) === undefined && (isNew || name.trim() !== "")}
        onClose={onClose}
        run={() => save({ key, name: name.trim() || key, description })}
      >
        {isNew && (
          <TextInput
            label="Key"
            description="It stands in addresses, and is for good"
            data-autofocus
            value={key}
            onChange={(event) => setKey(event.currentTarget.value)}
            error={placeKeyProblem(key)}
          />
        )}
        <TextInput label="Name" placeholder={key} maxLength={100} value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <TextInput
          label="Description"
          maxLength={5000}
          value={description}
          onChange={(event) => setDescription(event.currentTarget.value)}
        />
        {isNew && (
          <Text size="sm" c="dimmed">
            It begins with the environments Development and Production.
          </Text>
        )}
      </Form>
    </Modal>
  );
}
