import { Alert, Button, Group, Modal, Select, Stack, Text } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { sentenceOfError } from "../api.ts";
import { Copyable } from "../Copy.tsx";

/** A text that is in no other answer. The dialog stays until it is closed on purpose. */
export function ShownOnce({ text, what, onDone }: { text: string; what: string; onDone: () => void }) {
  return (
    <Stack>
      <Text>This is shown once. Keep it like a password.</Text>
      <Copyable text={text} what={what} />
      <Group justify="flex-end">
        <Button onClick={onDone}>Done</Button>
      </Group>
    </Stack>
  );
}

/** How long the one before goes on after a rotation. */
const OLD_GOES_ON = [
  { value: "until", label: "until I revoke it" },
  { value: "1", label: "for an hour" },
  { value: "24", label: "for a day" },
  { value: "168", label: "for a week" },
  { value: "0", label: "not at all: it is refused at once" },
];

export interface RotateProps {
  /** What is rotated, as people call it: `the key "billing"`; closed while undefined. */
  readonly what: string | undefined;
  /** Resolves with the text of the new one. */
  readonly run: (oldHours: number | undefined) => Promise<string>;
  readonly onDone: () => void;
}

export function RotateDialog({ what, run, onDone }: RotateProps) {
  return (
    <Modal opened={what !== undefined} onClose={onDone} title={`Rotate ${what ?? ""}`} closeOnClickOutside={false}>
      {what !== undefined && <Rotate key={what} what={what} run={run} onDone={onDone} />}
    </Modal>
  );
}

function Rotate({ what, run, onDone }: RotateProps & { readonly what: string }) {
  const [oldGoesOn, setOldGoesOn] = useState("until");
  const [text, setText] = useState<string>();
  const [running, setRunning] = useState(false);
  const [failure, setFailure] = useState<string>();
  if (text !== undefined) return <ShownOnce text={text} what="new text" onDone={onDone} />;
  async function go() {
    setRunning(true);
    setFailure(undefined);
    try {
      setText(await run(oldGoesOn === "until" ? undefined : Number(oldGoesOn)));
    } catch (error) {
      setFailure(sentenceOfError(error));
    }
    setRunning(false);
  }
  return (
    <Stack>
      <Text>A second one like it is made and shown. Give it to everything that uses {what}, then revoke the old one.</Text>
      <Select
        label="The old one goes on"
        data={OLD_GOES_ON}
        allowDeselect={false}
        value={oldGoesOn}
        onChange={(value) => value && setOldGoesOn(value)}
      />
      {failure !== undefined && <Refusal>{failure}</Refusal>}
      <Group justify="flex-end">
        <Button variant="default" onClick={onDone}>
          Cancel
        </Button>
        <Button loading={running} onClick={() => void go()}>
          Make the new one
        </Button>
      </Group>
    </Stack>
  );
}

export interface RevokeProps {
  readonly what: string | undefined;
  /** Who uses it still. */
  readonly children?: ReactNode;
  readonly run: () => Promise<unknown>;
  readonly onDone: () => void;
}

/** Says who uses it before it is gone. */
export function RevokeDialog({ what, children, run, onDone }: RevokeProps) {
  const [running, setRunning] = useState(false);
  const [failure, setFailure] = useState<string>();
  function close() {
    setFailure(undefined);
    onDone();
  }
  async function go() {
    setRunning(true);
    try {
      await run();
      close();
    } catch (error) {
      setFailure(sentenceOfError(error));
    }
    setRunning(false);
  }
  return (
    <Modal opened={what !== undefined} onClose={close} title={`Revoke ${what ?? ""}`}>
      <Stack>
        {children}
        <Text>Whatever uses it is refused from now on. This cannot be undone.</Text>
        {failure !== undefined && <Refusal>{failure}</Refusal>}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button color="red.9" loading={running} onClick={() => void go()}>
            Revoke it
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

export function Refusal({ children }: { children: ReactNode }) {
  return (
    <Alert role="alert" color="red" variant="outline">
      {children}
    </Alert>
  );
}
