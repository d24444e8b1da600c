import { Anchor, Box, Button, Code, Collapse, Group, Menu, Stack, Text } from "@mantine/core";
import { IconArrowBackUp, IconChevronDown } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import type { Change, ItemChange } from "../../../src/api-types.ts";
import { sentenceOfError } from "../api.ts";
import type { Place } from "../queries.ts";
import { AnchorLink } from "../shell/links.tsx";
import { useMay } from "../shell/rights.tsx";
import { Ago } from "../time.tsx";
import { changeQuery, type Target } from "./queries.ts";
import { Lines } from "./RevertDialog.tsx";

interface RowProps {
  readonly place: Place;
  readonly change: Change;
  /** The flag of which this is the history. */
  readonly flag: string | undefined;
  /** The first revision that one can go back to. */
  readonly beginning: number;
  readonly onRevert: (target: Target) => void;
  readonly onThen: (revision: number) => void;
}

/** One change: who did what, when and why, in words; whole, as it is stored and taken back on demand. */
export function ChangeRow({ place, change, flag, beginning, onRevert, onThen }: RowProps) {
  const [opened, setOpened] = useState(false);
  const id = useId();
  const may = useMay();
  const { revision, by, title, reason, lines, more, at, recorded } = change;
  const isOpen = revision >= beginning;
  return (
    <Box component="li" className="sb-row" py={10}>
      <Group justify="space-between" align="flex-start" gap="xs">
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          <Text span fw={600}>
            {by}
          </Text>{" "}
          {title}
        </Text>
        <Text size="xs" c="dimmed">
          <Ago at={at} /> · revision {revision}
        </Text>
      </Group>
      {reason !== null && (
        <Text size="sm" fs="italic" style={{ overflowWrap: "anywhere" }}>
          “{reason}”
        </Text>
      )}
      <Lines lines={lines} more={more} />
      {!recorded && (
        <Text size="xs" c="dimmed">
          A version of Signalbox made this change that kept nothing for history: it can be read, and not be taken back.
        </Text>
      )}
      <Group gap="xs" mt={4}>
        <Button
          size="compact-xs"
          variant="subtle"
          aria-expanded={opened}
          aria-controls={id}
          rightSection={<IconChevronDown size={14} aria-hidden />}
          onClick={() => setOpened(!opened)}
        >
          Details
        </Button>
        {isOpen && (
          <Menu position="bottom-start">
            <Menu.Target>
              <Button size="compact-xs" variant="subtle" leftSection={<IconArrowBackUp size={14} aria-hidden />} disabled={!may("edit")}>
                Take back
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              {recorded && <Menu.Item onClick={() => onRevert({ kind: "change", revision })}>This change</Menu.Item>}
              {flag !== undefined && (
                <Menu.Item onClick={() => onRevert({ kind: "flag", flag, revision })}>Make {flag} as it was then</Menu.Item>
              )}
              <Menu.Item onClick={() => onRevert({ kind: "all", revision })}>Make everything as it was then</Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )}
        {isOpen && (
          <Anchor component="button" size="xs" onClick={() => onThen(revision)}>
            All flags as they were then
          </Anchor>
        )}
      </Group>
      <Collapse expanded={opened} id={id}>
        {opened && <Detail place={place} revision={revision} />}
      </Collapse>
    </Box>
  );
}

function Detail({ place, revision }: { place: Place; revision: number }) {
  const change = useQuery(changeQuery(place, revision));
  const [raw, setRaw] = useState(false);
  if (change.isError) return <Text size="sm">{sentenceOfError(change.error)}</Text>;
  if (!change.data) return <Text size="sm">Loading…</Text>;
  const { items, alsoIn } = change.data;
  return (
    <Stack gap="xs" mt="xs">
      {items.map((item) => (
        <Item key={`${item.kind} ${item.key}`} place={place} item={item} raw={raw} />
      ))}
      {alsoIn.length > 0 && (
        <Text size="xs" c="dimmed">
          The same write made {alsoIn.map(({ environment, revision }) => `revision ${revision} of ${environment}`).join(" and ")}.
        </Text>
      )}
      <Group>
        <Anchor component="button" size="xs" onClick={() => setRaw(!raw)}>
          {raw ? "In words" : "As it is stored"}
        </Anchor>
      </Group>
    </Stack>
  );
}

function Item({ place, item, raw }: { place: Place; item: ItemChange; raw: boolean }) {
  const { kind, key, event, differences, members } = item;
  const said = event === "added" ? " is new" : event === "removed" ? " is gone" : "";
  return (
    <Box>
      <Text size="sm" fw={600}>
        {kind === "flag" && event !== "removed" ? (
          <AnchorLink to="/$project/$environment/flags/$flag" params={{ ...place, flag: key }} size="sm">
            {key}
          </AnchorLink>
        ) : kind === "settings" ? (
          "Settings"
        ) : (
          key
        )}
        {said}
      </Text>
      {raw
        ? differences.map(({ field, before, after }) => (
            <Code key={field} block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
              {`${field}\n- ${JSON.stringify(before)}\n+ ${JSON.stringify(after)}`}
            </Code>
          ))
        : differences.map(({ field, what, from, to }) => (
            <Text key={field} size="sm" style={{ overflowWrap: "anywhere" }}>
              {what}:{" "}
              <Text span c="dimmed">
                {from ?? "nothing"}
              </Text>{" "}
              → {to ?? "nothing"}
            </Text>
          ))}
      {members && (
        <Text size="sm">
          {members.added} came, {members.removed} left
        </Text>
      )}
    </Box>
  );
}
