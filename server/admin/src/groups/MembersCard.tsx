import { ActionIcon, Alert, Badge, Box, Button, FileButton, Group, Paper, Stack, Text, Textarea, TextInput, Title } from "@mantine/core";
import { IconSearch, IconX } from "@tabler/icons-react";
import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { useDeferredValue, useMemo, useState } from "react";
import type { Group as GroupShape, MemberList } from "../../../src/api-types.ts";
import { call } from "../api.ts";
import { groupPath, type Place } from "../queries.ts";
import { Ago } from "../time.tsx";
import { sayProblem } from "../undo.tsx";
import { membersKey, useGroupActions } from "./actions.ts";
import { cursorBefore, unitsOf } from "./units.ts";

const PAGE = 100;
const KEPT_OUT_SHOWN = 5;
/** Characters. */
const LONG_TEXT = 20_000;
const FILE_BYTES_MAX = 25_000_000;

/** The units of a list, or who has joined and left early access. Staff can add and remove in both. */
export function MembersCard({ place, group }: { place: Place; group: GroupShape }) {
  const { members } = useGroupActions(place);
  const [text, setText] = useState("");
  const [search, setSearch] = useState("");
  const prefix = useDeferredValue(search.trim());
  const early = group.kind === "early-access";
  /** A long list stays out of the field: laying it out would stop the page. */
  const [long, setLong] = useState<string>();
  const pasted = useMemo(() => unitsOf(long ?? text), [long, text]);
  const many = group.members.toLocaleString("en-US");

  const list = useInfiniteQuery({
    queryKey: [...membersKey(place, group.key), prefix],
    queryFn: ({ pageParam, signal }) => {
      const query = new URLSearchParams({ limit: String(PAGE) });
      if (pageParam !== null) query.set("after", pageParam);
      return call<MemberList>("GET", `${groupPath(place, group.key)}/members?${query}`, { signal });
    },
    initialPageParam: (prefix === "" ? null : (cursorBefore(prefix) ?? null)) as string | null,
    getNextPageParam: (page) => (page.members.at(-1)?.unit.startsWith(prefix) ? page.next : null),
  });
  const shown = (list.data?.pages ?? []).flatMap((page) => page.members).filter(({ unit }) => unit.startsWith(prefix));

  const [keptOut, setKeptOut] = useState<readonly string[]>([]);
  const add = useMutation({
    mutationFn: () => members(group.key, "add", pasted.units),
    onSuccess: (kept) => {
      setText("");
      setLong(undefined);
      setKeptOut(kept);
    },
    onError: (error) => sayProblem("Not all were added", error),
  });
  const addAnyway = useMutation({
    mutationFn: () => members(group.key, "add", keptOut, true),
    onSuccess: () => setKeptOut([]),
    onError: (error) => sayProblem("Not added", error),
  });
  async function takeFile(file: File | null): Promise<void> {
    if (!file) return;
    if (file.size > FILE_BYTES_MAX) {
      sayProblem("Not read", new Error(`${file.name} has more than ${FILE_BYTES_MAX / 1_000_000} MB; split it.`));
      return;
    }
    setLong(`${text}\n${await file.text()}`);
  }

  const remove = useMutation({
    mutationFn: (unit: string) => members(group.key, "remove", [unit]),
    onError: (error) => sayProblem("Not removed", error),
  });

  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="members">
      <Stack gap="md">
        <Title order={2} size="h4" id="members">
          {early ? `Early adopters (${many} joined)` : `Members (${many})`}
        </Title>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (pasted.units.length > 0) add.mutate();
          }}
        >
          <Stack gap="xs">
            {long === undefined ? (
              <Textarea
                label={early ? "Add by hand" : "Add"}
                description={`Values of ${group.by}: one per line, or separated by commas; paste as many as you like.`}
                placeholder="4711"
                autosize
                minRows={1}
                maxRows={8}
                value={text}
                onChange={(event) => setText(event.currentTarget.value)}
                onPaste={(event) => {
                  const given = event.clipboardData.getData("text");
                  if (given.length <= LONG_TEXT) return;
                  event.preventDefault();
                  setLong(`${text}\n${given}`);
                }}
                onKeyDown={(event) => {
                  if (event.key !== "Enter" || event.shiftKey || text.includes("\n")) return;
                  event.preventDefault();
                  event.currentTarget.form?.requestSubmit();
                }}
                error={pasted.problem}
              />
            ) : (
              <div>
                <Text size="sm" fw={500}>
                  {pasted.units.length.toLocaleString("en-US")} keys to add
                </Text>
                <Text size="sm" c={pasted.problem === undefined ? "dimmed" : "var(--mantine-color-error)"} role="status">
                  {pasted.problem ?? `${pasted.units.slice(0, 3).join(", ")} … ${pasted.units.at(-1)}`}
                </Text>
              </div>
            )}
            <Group>
              <Button type="submit" size="xs" loading={add.isPending} disabled={pasted.units.length === 0}>
                {pasted.units.length > 1 ? `Add ${pasted.units.length.toLocaleString("en-US")}` : "Add"}
              </Button>
              {long === undefined ? (
                <FileButton accept="text/plain,text/csv,.txt,.csv" onChange={(file) => void takeFile(file)}>
                  {(props) => (
                    <Button {...props} size="xs" variant="subtle">
                      Choose a file
                    </Button>
                  )}
                </FileButton>
              ) : (
                <Button size="xs" variant="subtle" onClick={() => setLong(undefined)}>
                  Discard the list
                </Button>
              )}
            </Group>
          </Stack>
        </form>
        {keptOut.length > 0 && (
          <Alert
            color="orange"
            variant="outline"
            role="alert"
            title={keptOut.length === 1 ? "1 stays out" : `${keptOut.length.toLocaleString("en-US")} stay out`}
          >
            <Stack gap="xs" align="flex-start">
              <Text size="sm">
                {keptOut.slice(0, KEPT_OUT_SHOWN).join(", ")}
                {keptOut.length > KEPT_OUT_SHOWN && ` and ${(keptOut.length - KEPT_OUT_SHOWN).toLocaleString("en-US")} more`} left early
                access by themselves, so they were not added again.
              </Text>
              <Group gap="xs">
                <Button size="xs" variant="default" loading={addAnyway.isPending} onClick={() => addAnyway.mutate()}>
                  Add them anyway
                </Button>
                <Button size="xs" variant="subtle" onClick={() => setKeptOut([])}>
                  Leave them out
                </Button>
              </Group>
            </Stack>
          </Alert>
        )}
        <TextInput
          aria-label="Search members"
          placeholder="Starts with…"
          leftSection={<IconSearch size={16} aria-hidden />}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
        {shown.length === 0 && !list.isPending && (
          <Text size="sm" c="dimmed">
            {prefix !== "" ? `No member starts with “${prefix}”.` : early ? "Nobody has joined yet." : "Nobody is listed yet."}
          </Text>
        )}
        <Box component="ul" className="sb-list" aria-label="Members">
          {shown.map((member) => (
            <Group component="li" key={member.unit} className="sb-row" justify="space-between" wrap="nowrap" py={4}>
              <Group gap={8} miw={0}>
                <Text size="sm" ff="monospace">
                  {member.unit}
                </Text>
                {member.state === "left" && (
                  <Badge size="sm" variant="outline" color="gray" className="sb-badge">
                    left
                  </Badge>
                )}
                <Text size="xs" c="dimmed">
                  {early ? (member.state === "left" ? "left " : "joined ") : "added "}
                  <Ago at={member.at} /> by {member.by}
                </Text>
              </Group>
              {member.state === "member" && (
                <ActionIcon variant="subtle" color="gray" aria-label={`Remove ${member.unit}`} onClick={() => remove.mutate(member.unit)}>
                  <IconX size={16} aria-hidden />
                </ActionIcon>
              )}
            </Group>
          ))}
        </Box>
        {list.hasNextPage && (
          <Button variant="default" size="xs" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            Show more
          </Button>
        )}
      </Stack>
    </Paper>
  );
}
