import { Alert, Badge, Button, Drawer, Group, List, Stack, Text, Title, VisuallyHidden } from "@mantine/core";
import { IconArrowDown, IconArrowsSort, IconArrowUp, IconEqual } from "@tabler/icons-react";
import type { Flag } from "../../../src/api-types.ts";
import { useIssues } from "../problems.tsx";
import type { Place } from "../queries.ts";
import { useEnvironment } from "../shell/place.ts";
import { sentenceFor, stateFor } from "./body.ts";
import { type ChangeLine, denialsLost, describeChanges, type GroupName } from "./changes.ts";
import type { Direction } from "./direction.ts";
import { type FieldName, pick, shown, splitEdits } from "./draft.ts";
import { Effect } from "./Effect.tsx";
import { withRuleNumbers } from "./rules.ts";
import { StateChip } from "./StateChip.tsx";
import type { DraftHandle } from "./use-draft.ts";
import { variantWord } from "./variants.ts";

interface ReviewDrawerProps {
  readonly place: Place;
  readonly flag: Flag;
  readonly handle: DraftHandle;
  readonly lines: readonly ChangeLine[];
  readonly direction: Direction;
  readonly groupName: GroupName;
  readonly opened: boolean;
  readonly busy: boolean;
  readonly onClose: () => void;
  readonly onSave: () => Promise<void>;
}

const DIRECTIONS = {
  more: { icon: IconArrowUp, words: "More people get it" },
  fewer: { icon: IconArrowDown, words: "Fewer people get it" },
  both: { icon: IconArrowsSort, words: "Changes who gets it" },
  none: { icon: IconEqual, words: "Nobody gains or loses it" },
} as const;

/** The only save dialog: what is, what it becomes, and what else it does. */
export function ReviewDrawer(props: ReviewDrawerProps) {
  const { place, flag, handle, lines, direction, groupName, opened, busy, onClose, onSave } = props;
  const { environment } = useEnvironment();
  const next = shown(handle.draft);
  const saved = handle.draft.base;
  const lost = denialsLost(saved, next, groupName);
  const { icon: Icon, words } = DIRECTIONS[direction];
  const issues = useIssues("");
  return (
    <Drawer
      opened={opened}
      onClose={onClose}
      position="right"
      size="md"
      title={
        <Group gap="xs">
          <Text fw={650}>Review: {flag.key}</Text>
          {environment?.production ? <Badge color="pink.9">PRODUCTION</Badge> : <Badge color="gray.8">{place.environment}</Badge>}
        </Group>
      }
    >
      <Stack gap="md">
        {environment?.production && <div className="sb-production">PRODUCTION</div>}
        <Group gap={8}>
          <Icon size={20} aria-hidden />
          <Text fw={600}>{words}</Text>
        </Group>
        <Stack gap={6}>
          <Group gap={8}>
            <StateChip state={stateFor(flag, saved)} />
            <span aria-hidden>→</span>
            <VisuallyHidden>becomes</VisuallyHidden>
            <StateChip state={stateFor(flag, next)} />
          </Group>
          <Text size="sm" c="dimmed">
            Now: {sentenceFor(flag, saved, groupName)}
          </Text>
          <Text>Then: {sentenceFor(flag, next, groupName)}</Text>
        </Stack>
        <Stack gap={8}>
          <Title order={3} size="h5">
            {lines.length === 1 ? "1 change" : `${lines.length} changes`}
          </Title>
          <List size="sm" spacing={6}>
            {lines.map((line) => (
              <List.Item key={`${line.what}${line.from}${line.to}`}>
                <b>{line.what}</b>: {line.from !== null && <span className={line.to === null ? "sb-old" : ""}>{line.from}</span>}
                {line.from === null && line.to !== null && <ins>{line.to}</ins>}
                {line.from !== null && line.to !== null && <> → {line.to}</>}
              </List.Item>
            ))}
          </List>
        </Stack>
        <Effect place={place} flag={flag} configuration={splitEdits(handle.draft.edits).configuration} />
        {lost.length > 0 && (
          <Alert
            color="orange"
            variant="outline"
            title={lost.length === 1 ? "A denial stops working" : `${lost.length} denials stop working`}
          >
            <List size="sm">
              {lost.map((denial) => (
                <List.Item key={denial}>{denial}</List.Item>
              ))}
            </List>
            “Everybody” ignores the rules. To keep them out, choose “Some” with 100 %.
          </Alert>
        )}
        {flag.killed && (
          <Alert color="red" variant="outline">
            The flag is killed: everybody gets {variantWord(saved.off, saved)} until it is restored. This change is kept and counts from
            then on.
          </Alert>
        )}
        {next.browser && !flag.browser && flag.browserObstacles.length > 0 && (
          <Alert color="orange" variant="outline" title="It cannot be shown in browsers now">
            {flag.browserObstacles.map((obstacle) => withRuleNumbers(obstacle, flag.configuration.rules)).join("; ")}
          </Alert>
        )}
        {issues.length > 0 && (
          <Alert role="alert" color="red" variant="outline" title="Not saved">
            <List size="sm">
              {issues.map((issue) => (
                <List.Item key={issue}>{withRuleNumbers(issue, next.rules)}</List.Item>
              ))}
            </List>
            Go back to mend it; what is wrong is shown at its field.
          </Alert>
        )}
        {handle.draft.theirs.map((field) => (
          <Conflict key={field} field={field} flag={flag} handle={handle} groupName={groupName} />
        ))}
        <Group justify="flex-end" mt="sm">
          <Button variant="default" onClick={onClose}>
            Back
          </Button>
          <Button data-autofocus loading={busy} disabled={handle.draft.theirs.length > 0} onClick={() => void onSave()}>
            Save
          </Button>
        </Group>
      </Stack>
    </Drawer>
  );
}

function Conflict({ field, flag, handle, groupName }: { field: FieldName; flag: Flag; handle: DraftHandle; groupName: GroupName }) {
  const { base, edits } = handle.draft;
  const lines = describeChanges(base, pick({ ...base, ...edits } as typeof base, [field]), groupName);
  return (
    <Alert role="alert" color="orange" variant="outline" title={`${flag.updatedBy} changed the same meanwhile`}>
      <List size="sm">
        {lines.map((line) => (
          <List.Item key={`${line.what}${line.from}${line.to}`}>
            {line.what}: theirs {line.from ?? "nothing"}, mine {line.to ?? "nothing"}
          </List.Item>
        ))}
      </List>
      <Group gap="xs" mt="xs">
        <Button size="xs" variant="default" onClick={() => handle.keepMine(field)}>
          Keep mine
        </Button>
        <Button size="xs" variant="default" onClick={() => handle.takeTheirs(field)}>
          Take theirs
        </Button>
      </Group>
    </Alert>
  );
}
