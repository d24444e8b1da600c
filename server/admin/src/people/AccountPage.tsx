import { Alert, Badge, Box, Button, Group, Paper, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { OwnSession } from "../../../src/api-types.ts";
import { call, sentenceOfError } from "../api.ts";
import { PASSWORD_LENGTH_MIN, passwordProblem } from "../auth/rules.ts";
import { projectsQuery, sessionQuery } from "../queries.ts";
import { Loading } from "../shell/Failure.tsx";
import { useTitle } from "../shell/place.ts";
import { Ago } from "../time.tsx";
import { announceChange, sayProblem } from "../undo.tsx";
import { ownSessionsQuery, placeWords, roleWord } from "./people.ts";

/** One's own account: roles, password, where one is signed in. */
export function AccountPage() {
  useTitle("Account");
  const { data: session } = useQuery(sessionQuery);
  const { data } = useQuery(projectsQuery);
  if (!session) return <Loading what="your account" />;
  return (
    <Stack gap="lg">
      <Title order={1} size="h2">
        {session.user.name}
      </Title>
      <Paper className="sb-card" p="md" component="section" aria-labelledby="own-roles">
        <Title order={2} size="h4" id="own-roles">
          Your roles
        </Title>
        <Box component="ul" className="sb-list" mt="xs">
          {session.roles.map((role) => (
            <Text component="li" size="sm" key={`${role.role} ${role.project} ${role.environment}`}>
              <strong>{roleWord(role.role)}</strong> {placeWords(role, data?.projects ?? [])}
            </Text>
          ))}
        </Box>
        {session.roles.length === 0 && <Text size="sm">You have no role yet: ask an admin for one.</Text>}
      </Paper>
      <PasswordCard name={session.user.name} />
      <SessionsCard />
    </Stack>
  );
}

function PasswordCard({ name }: { name: string }) {
  const client = useQueryClient();
  const [old, setOld] = useState("");
  const [wanted, setWanted] = useState("");
  const [tried, setTried] = useState(false);
  const change = useMutation({
    mutationFn: () => call("POST", "/api/v1/password", { body: { old, new: wanted } }),
    onSuccess: async () => {
      setOld("");
      setWanted("");
      setTried(false);
      announceChange({ title: "Your password is changed, and your other sessions have ended" });
      await client.invalidateQueries({ queryKey: ownSessionsQuery.queryKey });
    },
  });
  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (old !== "" && passwordProblem(wanted) === undefined) change.mutate();
  }
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="password-title">
      <Title order={2} size="h4" id="password-title" mb="xs">
        Password
      </Title>
      <form onSubmit={submit} noValidate className="sb-form" style={{ maxWidth: 420 }}>
        <input type="hidden" autoComplete="username" value={name} readOnly />
        <PasswordInput
          label="Old password"
          autoComplete="current-password"
          value={old}
          onChange={(event) => setOld(event.currentTarget.value)}
          error={tried && old === "" && "Enter the password that you have now."}
          visibilityToggleButtonProps={{ "aria-label": "Show the old password" }}
        />
        <PasswordInput
          label="New password"
          description={`At least ${PASSWORD_LENGTH_MIN} characters. Your other sessions end.`}
          autoComplete="new-password"
          value={wanted}
          onChange={(event) => setWanted(event.currentTarget.value)}
          error={tried && passwordProblem(wanted)}
          visibilityToggleButtonProps={{ "aria-label": "Show the new password" }}
        />
        {change.isError && (
          <Alert role="alert" color="red" variant="outline">
            {sentenceOfError(change.error)}
          </Alert>
        )}
        <Group>
          <Button type="submit" loading={change.isPending}>
            Change the password
          </Button>
        </Group>
      </form>
    </Paper>
  );
}

function SessionsCard() {
  const client = useQueryClient();
  const sessions = useQuery(ownSessionsQuery);
  async function end({ id }: OwnSession) {
    try {
      await call("DELETE", `/api/v1/sessions/${id}`);
      announceChange({ title: "The session has ended" });
    } catch (error) {
      sayProblem("Not ended", error);
    }
    await client.invalidateQueries({ queryKey: ownSessionsQuery.queryKey });
  }
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="sessions-title">
      <Title order={2} size="h4" id="sessions-title">
        Where you are signed in
      </Title>
      {sessions.isError && <Text size="sm">{sentenceOfError(sessions.error)}</Text>}
      <Box component="ul" className="sb-list">
        {sessions.data?.sessions.map((session) => (
          <Group component="li" key={session.id} className="sb-row" justify="space-between" py={8} gap="xs">
            <Box miw={0} flex={1}>
              <Group gap={8}>
                <Text size="sm">{session.agent ?? "an unnamed browser"}</Text>
                {session.current && (
                  <Badge size="sm" variant="outline" color="indigo" className="sb-badge">
                    This one
                  </Badge>
                )}
              </Group>
              <Text size="xs" c="dimmed">
                {session.address ?? "unknown address"} · since <Ago at={session.createdAt} /> · used <Ago at={session.seenAt} />
              </Text>
            </Box>
            {!session.current && (
              <Button
                size="compact-sm"
                variant="default"
                aria-label={`End the session of ${session.agent ?? "an unnamed browser"} at ${session.address ?? "an unknown address"}`}
                onClick={() => void end(session)}
              >
                End
              </Button>
            )}
          </Group>
        ))}
      </Box>
    </Paper>
  );
}
