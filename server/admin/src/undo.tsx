import { Button, Group, Kbd, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconArrowBackUp, IconCheck, IconHandStop, IconX } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { ApiError, OUTCOME_UNKNOWN, sentenceOfError } from "./api.ts";
import { shortcutsOn } from "./shell/shortcuts.ts";

/** How long a change can be taken back by one press. */
const UNDO_MS = 30_000;
const PASSING_MS = 6_000;
const TOAST = "last-change";
const UNDONE = "undone";
const closeButtonProps = { "aria-label": "Close" };

let pending: (() => void) | undefined;

export interface Change {
  /** What was done, as a sentence. */
  readonly title: string;
  readonly details?: ReactNode;
  /** Writes the previous values back. Absent where there is nothing to write back. */
  readonly undo?: () => Promise<unknown>;
  readonly tone?: "plain" | "kill";
}

/** Says what was changed and offers to take it back. The next change replaces it: `u` and the button always mean the last one. */
export function announceChange({ title, details, undo, tone }: Change): void {
  const run = undo && (() => void undoNow(title, undo));
  pending = run;
  notifications.hide(TOAST);
  notifications.hide(UNDONE);
  notifications.show({
    id: TOAST,
    role: "status",
    title,
    color: tone === "kill" ? "red" : "indigo",
    icon: tone === "kill" ? <IconHandStop size={18} aria-hidden /> : <IconCheck size={18} aria-hidden />,
    autoClose: UNDO_MS,
    closeButtonProps,
    onClose: () => {
      if (pending === run) pending = undefined;
    },
    message: (
      <Stack gap={6} align="flex-start">
        {details}
        {run && (
          <Group gap={8}>
            <Button size="compact-sm" variant="default" leftSection={<IconArrowBackUp size={16} aria-hidden />} onClick={run}>
              Undo
            </Button>
            {shortcutsOn() && (
              <Text size="xs" c="dimmed" visibleFrom="sm">
                or <Kbd size="xs">u</Kbd>
              </Text>
            )}
          </Group>
        )}
      </Stack>
    ),
  });
}

/** The key `u`. */
export function undoLast(): void {
  pending?.();
}

async function undoNow(title: string, undo: () => Promise<unknown>): Promise<void> {
  pending = undefined;
  notifications.hide(TOAST);
  try {
    await undo();
    say(UNDONE, `Undone: ${title}`);
  } catch (error) {
    sayProblem("It could not be undone", error);
  }
}

/** A passing note. The next one about the same thing replaces it. */
export function say(about: string, title: string): void {
  notifications.hide(about);
  notifications.show({ id: about, role: "status", title, message: "", autoClose: PASSING_MS, closeButtonProps });
}

export function sayProblem(title: string, error: unknown): void {
  // "Not saved" would be more than anybody knows.
  const isUnknown = error instanceof ApiError && error.code === OUTCOME_UNKNOWN;
  notifications.show({
    role: "alert",
    title: isUnknown ? "The server's answer did not arrive" : title,
    message: sentenceOfError(error),
    color: "red",
    icon: <IconX size={18} aria-hidden />,
    autoClose: 15_000,
    closeButtonProps,
  });
}
