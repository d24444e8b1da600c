import { ActionIcon, Badge, Box, Button, Checkbox, Group, Menu, Paper, Stack, Text, TextInput, Title, VisuallyHidden } from "@mantine/core";
import { IconArchive, IconCheck, IconDots, IconFilter, IconPencil, IconPlus, IconSearch, IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Fragment, memo, useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import type { FlagSummary } from "../../../src/api-types.ts";
import { flagsQuery, type Place } from "../queries.ts";
import { Failure, Loading } from "../shell/Failure.tsx";
import { AnchorLink, ButtonLink } from "../shell/links.tsx";
import { useEnvironment, usePlace, useTitle } from "../shell/place.ts";
import { useMayInProject } from "../shell/rights.tsx";
import { useShortcuts } from "../shell/shortcuts.ts";
import { Ago } from "../time.tsx";
import { UnknownKeys } from "../usage/UnknownKeys.tsx";
import { DescribeDialog, type DescribeKind } from "./DescribeDialog.tsx";
import { KillButton } from "./KillButton.tsx";
import { NewFlagDialog } from "./NewFlagDialog.tsx";
import { SelectedBar } from "./SelectedBar.tsx";
import { StateChip } from "./StateChip.tsx";
import { filtersOf, searchFlags, toggleWord } from "./search.ts";

/** Rows drawn at once; thousands of rows would make each key press slow. */
const ROWS_STEP = 200;

export function FlagListPage() {
  const place = usePlace();
  const { environment } = useEnvironment();
  const { search: inUrl = "", archived = false } = useSearch({ from: "/$project/$environment/flags" });
  const navigate = useNavigate();
  // The evaluations in the last minute grow by themselves, and fall only when they are asked for.
  const list = useQuery({ ...flagsQuery(place), refetchInterval: 60_000 });
  const [search, setSearch] = useState(inUrl);
  const [rows, setRows] = useState(ROWS_STEP);
  /** The key that the new flag begins with; undefined: none is made. */
  const [creating, setCreating] = useState<string>();
  /** The keys that are selected; undefined: nothing is being selected. */
  const [selected, setSelected] = useState<ReadonlySet<string>>();
  const [dialog, setDialog] = useState<{ flag: FlagSummary; kind: DescribeKind }>();
  const field = useRef<HTMLInputElement>(null);
  useTitle("Flags", environment?.name);
  useShortcuts({ "/": () => field.current?.select(), n: () => setCreating("") });

  // Typing stays in the field; the address follows, so that a filtered view can be shared.
  useEffect(() => {
    const timer = setTimeout(() => {
      if (search === inUrl) return;
      void navigate({
        to: "/$project/$environment/flags",
        params: { project: place.project, environment: place.environment },
        search: { ...(search === "" ? {} : { search }), ...(archived ? { archived } : {}) },
        replace: true,
      });
    }, 250);
    return () => clearTimeout(timer);
  }, [search, inUrl, archived, navigate, place.project, place.environment]);

  const toggle = useCallback((key: string) => {
    setSelected((before) => {
      const next = new Set(before);
      if (!next.delete(key)) next.add(key);
      return next;
    });
  }, []);

  const wanted = useDeferredValue(search);
  const flags = list.data?.flags;
  const mayInProject = useMayInProject();
  const found = useMemo(() => searchFlags(flags ?? [], wanted, archived), [flags, wanted, archived]);

  if (list.isError && !flags) return <Failure error={list.error} retry={() => void list.refetch()} />;
  if (!flags) return <Loading what="the flags" />;
  const archivedCount = flags.filter((flag) => flag.archived).length;

  return (
    <Stack gap="md">
      <Group justify="space-between">
        <Title order={1} size="h2">
          {archived ? "Archived flags" : "Flags"}
        </Title>
        <Button leftSection={<IconPlus size={18} aria-hidden />} disabled={!mayInProject("edit")} onClick={() => setCreating("")}>
          New flag
        </Button>
      </Group>
      {flags.length === 0 ? (
        <NoFlags place={place} />
      ) : (
        <>
          <Group gap="sm">
            <TextInput
              ref={field}
              flex="1 1 240px"
              aria-label="Search flags"
              placeholder="Search, or state:some"
              leftSection={<IconSearch size={18} aria-hidden />}
              rightSection={
                search !== "" && (
                  <ActionIcon variant="subtle" color="gray" aria-label="Clear the search" onClick={() => setSearch("")}>
                    <IconX size={16} aria-hidden />
                  </ActionIcon>
                )
              }
              value={search}
              onChange={(event) => {
                setSearch(event.currentTarget.value);
                setRows(ROWS_STEP);
              }}
              onKeyDown={(event) => {
                if (event.key === "Escape") setSearch("");
                const first = found[0];
                if (event.key !== "Enter" || search !== wanted || !first || found.length !== 1) return;
                void navigate({ to: "/$project/$environment/flags/$flag", params: { ...place, flag: first.key } });
              }}
            />
            <FilterMenu flags={flags} search={search} onSearch={setSearch} />
            <Button
              variant={selected ? "light" : "default"}
              aria-pressed={selected !== undefined}
              onClick={() => setSelected(selected ? undefined : new Set())}
            >
              Select
            </Button>
            {(archivedCount > 0 || archived) && (
              <Checkbox
                label={`Archived (${archivedCount})`}
                checked={archived}
                onChange={(event) =>
                  void navigate({
                    to: "/$project/$environment/flags",
                    params: place,
                    search: { ...(search === "" ? {} : { search }), ...(event.currentTarget.checked ? { archived: true } : {}) },
                    replace: true,
                  })
                }
              />
            )}
          </Group>
          <Text size="sm" c="dimmed" role="status">
            {found.length === 1 ? "1 flag" : `${found.length} flags`}
          </Text>
          {selected && selected.size > 0 && (
            <SelectedBar place={place} flags={flags.filter(({ key }) => selected.has(key))} onDone={() => setSelected(undefined)} />
          )}
          {found.length > 0 && (
            <Paper className="sb-card" component="ul" m={0} p={0} aria-label="Flags" style={{ listStyle: "none" }}>
              {found.slice(0, rows).map((flag) => (
                <Row
                  key={flag.key}
                  project={place.project}
                  environment={place.environment}
                  flag={flag}
                  onDialog={setDialog}
                  {...(selected && { selected: selected.has(flag.key), onSelect: toggle })}
                />
              ))}
            </Paper>
          )}
          {found.length === 0 && <Text>No flag fits “{wanted}”. The search looks at keys, names, descriptions, tags and owners.</Text>}
          {found.length > rows && (
            <Button variant="default" onClick={() => setRows(rows + ROWS_STEP)}>
              Show {Math.min(ROWS_STEP, found.length - rows)} more of {found.length - rows}
            </Button>
          )}
        </>
      )}
      {!archived && <UnknownKeys place={place} onCreate={setCreating} />}
      <NewFlagDialog place={place} opened={creating !== undefined} initialKey={creating} onClose={() => setCreating(undefined)} />
      {dialog && <DescribeDialog place={place} flagKey={dialog.flag.key} kind={dialog.kind} onClose={() => setDialog(undefined)} />}
    </Stack>
  );
}

interface RowProps extends Place {
  readonly flag: FlagSummary;
  readonly onDialog: (dialog: { flag: FlagSummary; kind: DescribeKind }) => void;
  /** Absent while nothing is being selected. */
  readonly selected?: boolean;
  readonly onSelect?: (key: string) => void;
}

/** Writes into the search what can be filtered by. */
function FilterMenu({ flags, search, onSearch }: { flags: readonly FlagSummary[]; search: string; onSearch: (search: string) => void }) {
  const words = search.split(/\s+/);
  return (
    <Menu position="bottom-end" closeOnItemClick={false}>
      <Menu.Target>
        <Button variant="default" leftSection={<IconFilter size={16} aria-hidden />}>
          Filter
        </Button>
      </Menu.Target>
      <Menu.Dropdown mah={420} style={{ overflowY: "auto" }}>
        {filtersOf(flags).map(
          ({ label, words: offered }) =>
            offered.length > 0 && (
              <Fragment key={label}>
                <Menu.Label>{label}</Menu.Label>
                {offered.map(([word, text]) => (
                  <Menu.Item
                    key={word}
                    leftSection={words.includes(word) ? <IconCheck size={16} aria-hidden /> : <Box w={16} />}
                    onClick={() => onSearch(toggleWord(search, word))}
                  >
                    {text}
                    {words.includes(word) && <VisuallyHidden>, chosen</VisuallyHidden>}
                  </Menu.Item>
                ))}
              </Fragment>
            ),
        )}
      </Menu.Dropdown>
    </Menu>
  );
}

const Row = memo(function Row({ project, environment, flag, onDialog, selected, onSelect }: RowProps) {
  const place = useMemo(() => ({ project, environment }), [project, environment]);
  return (
    <Box component="li" className="sb-row" px="md" py={10}>
      <Group justify="space-between" gap="xs" align="center">
        {onSelect && <Checkbox aria-label={`Select ${flag.key}`} checked={selected ?? false} onChange={() => onSelect(flag.key)} />}
        <Box miw={0} flex="1 1 250px">
          <Group gap={8}>
            <AnchorLink to="/$project/$environment/flags/$flag" params={{ ...place, flag: flag.key }} fw={600} c="inherit">
              {flag.key}
            </AnchorLink>
            <StateChip state={flag.state} />
            {flag.stale && (
              <Badge variant="outline" color="orange" radius="sm" tt="none">
                past its expected life
              </Badge>
            )}
            {flag.name !== "" && flag.name !== flag.key && <Text size="sm">{flag.name}</Text>}
          </Group>
          {flag.description !== "" && (
            <Text size="sm" c="dimmed" lineClamp={1}>
              {flag.description}
            </Text>
          )}
          <Text size="xs" c="dimmed" mt={2}>
            {flag.seen ? (
              <>
                last evaluated <Ago at={flag.seen.at} /> in {flag.seen.app}, {flag.perMinute.toLocaleString("en")} a minute
              </>
            ) : (
              "never evaluated"
            )}
            {" · changed "}
            <Ago at={flag.updatedAt} /> by {flag.updatedBy}
            {flag.tags.map((tag) => ` · #${tag}`)}
          </Text>
        </Box>
        <Group gap={4} wrap="nowrap" ml="auto">
          {!flag.archived && <KillButton place={place} flag={flag} />}
          <Menu position="bottom-end">
            <Menu.Target>
              <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`More for ${flag.key}`}>
                <IconDots size={18} aria-hidden />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item leftSection={<IconPencil size={16} aria-hidden />} onClick={() => onDialog({ flag, kind: "rename" })}>
                Rename
              </Menu.Item>
              <Menu.Item leftSection={<IconPencil size={16} aria-hidden />} onClick={() => onDialog({ flag, kind: "describe" })}>
                Describe
              </Menu.Item>
              <Menu.Item leftSection={<IconArchive size={16} aria-hidden />} onClick={() => onDialog({ flag, kind: "archive" })}>
                {flag.archived ? "Take out of the archive" : "Archive"}
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </Group>
      </Group>
    </Box>
  );
});

function NoFlags({ place }: { place: Place }) {
  return (
    <Paper className="sb-card" p="xl">
      <Stack align="flex-start">
        <Title order={2} size="h4">
          No flag yet
        </Title>
        <Text>The first one takes two minutes: name it, paste the lines into a program, and watch it change.</Text>
        <ButtonLink to="/$project/$environment/start" params={place}>
          Make the first flag
        </ButtonLink>
      </Stack>
    </Paper>
  );
}
