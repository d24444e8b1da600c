import { Alert, Badge, Button, Group, Modal, Paper, Stack, Text, Textarea, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import type { Condition, Group as GroupShape, PatchGroup } from "../../../src/api-types.ts";
import { ApiError, sentenceOfError } from "../api.ts";
import { ConditionBuilder } from "../conditions/ConditionBuilder.tsx";
import { emptyLeaf, incomplete } from "../conditions/edit.ts";
import { same } from "../flags/draft.ts";
import { type Issue, ProblemsProvider, useTyped } from "../problems.tsx";
import { groupQuery, groupsQuery, type Place } from "../queries.ts";
import { Failure, Loading } from "../shell/Failure.tsx";
import { AnchorLink } from "../shell/links.tsx";
import { useEnvironment, usePlace, useTitle } from "../shell/place.ts";
import { Ago } from "../time.tsx";
import { useGroupActions } from "./actions.ts";
import { ImportCard } from "./ImportCard.tsx";
import { KIND_WORDS } from "./kinds.ts";
import { MembersCard } from "./MembersCard.tsx";

export function GroupPage() {
  const place = usePlace();
  const { group: key } = useParams({ from: "/$project/$environment/groups/$group" });
  const group = useQuery(groupQuery(place, key));
  const { environment } = useEnvironment();
  useTitle(key, environment?.name);
  if (group.isError && !group.data) return <Failure error={group.error} retry={() => void group.refetch()} />;
  if (!group.data) return <Loading what={key} />;
  return (
    <Stack gap="lg">
      <Header place={place} group={group.data} />
      <EditCard key={`${place.environment}/${key}`} place={place} group={group.data} />
      {group.data.kind !== "conditions" && <MembersCard place={place} group={group.data} />}
      {group.data.kind !== "conditions" && <ImportCard key={`csv ${place.environment}/${key}`} place={place} group={group.data} />}
      <UsedBy place={place} group={group.data} />
    </Stack>
  );
}

function Header({ place, group }: { place: Place; group: GroupShape }) {
  const navigate = useNavigate();
  const { remove } = useGroupActions(place);
  const [asking, setAsking] = useState(false);
  const deletion = useMutation({
    mutationFn: () => remove(group),
    onSuccess: () => navigate({ to: "/$project/$environment/groups", params: place }),
  });
  return (
    <Stack gap={4}>
      <Group justify="space-between" align="flex-start">
        <Group gap="sm">
          <Title order={1} size="h2">
            {group.name || group.key}
          </Title>
          <Badge variant="outline" color="gray" className="sb-badge">
            {KIND_WORDS[group.kind]}
          </Badge>
        </Group>
        <Button size="xs" variant="default" onClick={() => setAsking(true)}>
          Delete
        </Button>
      </Group>
      <Text size="lg">{group.sentence}</Text>
      <Text size="sm" c="dimmed">
        <code>{group.key}</code> · changed <Ago at={group.updatedAt} /> by {group.updatedBy} ·{" "}
        <AnchorLink to="/$project/$environment/history" params={place} search={{ group: group.key }} size="sm" underline="always">
          History
        </AnchorLink>
      </Text>
      <Modal opened={asking} onClose={() => setAsking(false)} title={`Delete ${group.key}`}>
        <Stack>
          <Text>
            {group.usedBy.length > 0
              ? `It is used by ${group.usedBy.join(", ")}: take it out of their rules first.`
              : `The group leaves ${place.environment}${group.members > 0 ? ` with its ${group.members} members` : ""}. The history can bring it back.`}
          </Text>
          {deletion.isError && (
            <Alert role="alert" color="red" variant="outline">
              {sentenceOfError(deletion.error)}
            </Alert>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setAsking(false)}>
              Cancel
            </Button>
            <Button color="red.9" disabled={group.usedBy.length > 0} loading={deletion.isPending} onClick={() => deletion.mutate()}>
              Delete the group
            </Button>
          </Group>
        </Stack>
      </Modal>
    </Stack>
  );
}

/**
 * Name, description and conditions. Edits stay while others save theirs. They are saved against the state that they were begun on; when
 * that is no longer the newest, the page says who changed it, and saving once more writes only the edited fields over it.
 */
function EditCard({ place, group }: { place: Place; group: GroupShape }) {
  const client = useQueryClient();
  const groups = useQuery(groupsQuery(place));
  const { save } = useGroupActions(place);
  const [edits, setEdits] = useState<PatchGroup>({});
  const [round, setRound] = useState(0);
  const [begunOn, setBegunOn] = useState<GroupShape>();
  const base = begunOn ?? group;
  const shown = { name: group.name, description: group.description, when: group.when ?? emptyLeaf(), ...edits };
  const changed = Object.entries(edits).filter(([name, value]) => !same(value, group[name as keyof GroupShape]));
  // Only what was edited: what is stored does not keep a new name from being saved.
  const missing = group.kind === "conditions" && changed.some(([name]) => name === "when") ? incomplete(shown.when as Condition) : [];

  function put(next: PatchGroup) {
    setBegunOn(base);
    setEdits({ ...edits, ...next });
  }

  function stop() {
    setRound((last) => last + 1);
    setBegunOn(undefined);
    setEdits({});
  }

  const write = useMutation({
    mutationFn: () => {
      const patch = Object.fromEntries(changed) as PatchGroup;
      const back = Object.fromEntries(changed.map(([name]) => [name, group[name as keyof GroupShape]])) as PatchGroup;
      return save(base, patch, back);
    },
    onSuccess: stop,
    onError: async (error) => {
      if (error instanceof ApiError) setRefused({ issues: error.issues, when: shown.when });
      if (!(error instanceof ApiError) || error.status !== 412) return;
      setBegunOn(await client.query({ ...groupQuery(place, group.key), staleTime: 0 }));
    },
  });

  // What was refused stands until the conditions that it was said of are edited.
  const [refused, setRefused] = useState<{ issues: readonly Issue[]; when: unknown }>();
  const issues = useMemo(() => (refused && same(refused.when, shown.when) ? refused.issues : []), [refused, shown.when]);

  return (
    <ProblemsProvider issues={issues} round={round}>
      <Paper className="sb-card" p="md" component="section" aria-label="Edit the group">
        <Stack gap="sm">
          {group.kind === "conditions" && (
            <>
              <Title order={2} size="h4">
                Who is in it
              </Title>
              <ConditionBuilder
                condition={shown.when as Condition}
                onChange={(when) => put({ when })}
                groups={(groups.data?.groups ?? []).filter(({ key }) => key !== group.key)}
                label="In the group when"
                path="when"
              />
            </>
          )}
          <TextInput label="Name" maxLength={200} value={shown.name} onChange={(event) => put({ name: event.currentTarget.value })} />
          <Textarea
            label="Description"
            autosize
            maxLength={5000}
            value={shown.description}
            onChange={(event) => put({ description: event.currentTarget.value })}
          />
          {group.kind === "conditions" && changed.some(([name]) => name === "when") && group.usedBy.length > 0 && (
            <Alert color="orange" variant="outline">
              This changes who gets {group.usedBy.join(", ")}, in {place.environment}.
            </Alert>
          )}
          {write.isError && (
            <Alert role="alert" color="red" variant="outline">
              {write.error instanceof ApiError && write.error.status === 412
                ? `Not saved: ${group.updatedBy} changed this group meanwhile. Your edits are kept; save again to write them over it.`
                : sentenceOfError(write.error)}
            </Alert>
          )}
          {changed.length > 0 && (
            <SaveButtons busy={write.isPending} incomplete={missing.length > 0} onSave={() => write.mutate()} onDiscard={stop} />
          )}
        </Stack>
      </Paper>
    </ProblemsProvider>
  );
}

/** Not while something is typed that cannot be taken. */
function SaveButtons(props: { busy: boolean; incomplete: boolean; onSave: () => void; onDiscard: () => void }) {
  const typed = useTyped();
  return (
    <Group>
      <Button size="sm" loading={props.busy} disabled={props.incomplete || typed !== undefined} onClick={props.onSave}>
        Save
      </Button>
      <Button size="sm" variant="default" onClick={props.onDiscard}>
        Discard
      </Button>
    </Group>
  );
}

function UsedBy({ place, group }: { place: Place; group: GroupShape }) {
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="used-by">
      <Title order={2} size="h4" id="used-by" mb="xs">
        Used by
      </Title>
      {group.usedBy.length === 0 && (
        <Text size="sm" c="dimmed">
          No flag uses this group. Add it on the page of a flag, under “Who gets it”.
        </Text>
      )}
      <Stack gap={4}>
        {group.usedBy.map((flag) => (
          <AnchorLink key={flag} to="/$project/$environment/flags/$flag" params={{ ...place, flag }}>
            {flag}
          </AnchorLink>
        ))}
      </Stack>
    </Paper>
  );
}
