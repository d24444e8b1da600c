import { Alert, Badge, Box, Button, Group, Modal, NumberInput, Paper, Radio, Stack, Text, TextInput, Title } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { Token, TokenCreated, TokenScope } from "../../../src/api-types.ts";
import { call, sentenceOfError } from "../api.ts";
import { Copyable } from "../Copy.tsx";
import { tokensQuery } from "../queries.ts";
import { Ago } from "../time.tsx";
import { announceChange, sayProblem } from "../undo.tsx";

const SCOPES: readonly { value: TokenScope; label: string; description: string }[] = [
  { value: "kill", label: "Kill only", description: "Lists flags and kills them. For alarms." },
  { value: "operator", label: "Kill and restore", description: "Lists flags, kills and restores them. For people on call." },
  { value: "admin", label: "Everything", description: "All that you may do yourself." },
];
const DAYS_DEFAULT = 90;

/** Tokens for the command line and for programs that use the API. */
export function TokensCard() {
  const tokens = useQuery(tokensQuery);
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<Token>();
  const list = tokens.data?.tokens ?? [];
  return (
    <Paper className="sb-card" p="md" component="section" id="tokens" aria-labelledby="tokens-title">
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2} size="h4" id="tokens-title">
            Access tokens
          </Title>
          <Button size="xs" variant="default" leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setCreating(true)}>
            New token
          </Button>
        </Group>
        <Text size="sm" c="dimmed">
          For the command line and the API, in every environment: <code>npx signalbox kill new-search -e production --token …</code>
        </Text>
        {tokens.isError && <Text size="sm">{sentenceOfError(tokens.error)}</Text>}
        <Box component="ul" className="sb-list" aria-labelledby="tokens-title">
          {list.map((token) => (
            <Group component="li" key={token.id} className="sb-row" justify="space-between" py={8} gap="xs">
              <Box miw={0}>
                <Group gap={8}>
                  <Text size="sm" fw={600}>
                    {token.name}
                  </Text>
                  <Badge size="sm" variant="outline" color="gray" className="sb-badge">
                    {SCOPES.find(({ value }) => value === token.scope)?.label ?? token.scope}
                  </Badge>
                </Group>
                <Text size="xs" c="dimmed">
                  made <Ago at={token.createdAt} /> by {token.createdBy} · ends {new Date(token.expiresAt).toLocaleDateString()} ·{" "}
                  {token.lastUsedAt === null ? (
                    "never used"
                  ) : (
                    <>
                      used <Ago at={token.lastUsedAt} />
                    </>
                  )}
                </Text>
              </Box>
              <Button size="compact-sm" variant="default" aria-label={`Revoke ${token.name}`} onClick={() => setRevoking(token)}>
                Revoke
              </Button>
            </Group>
          ))}
        </Box>
      </Stack>
      <Modal opened={creating} onClose={() => setCreating(false)} title="New token">
        <NewToken onDone={() => setCreating(false)} />
      </Modal>
      <Revoke token={revoking} onDone={() => setRevoking(undefined)} />
    </Paper>
  );
}

function NewToken({ onDone }: { onDone: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [scope, setScope] = useState<TokenScope>("kill");
  const [days, setDays] = useState(DAYS_DEFAULT);
  const create = useMutation({
    mutationFn: () => call<TokenCreated>("POST", "/api/v1/tokens", { body: { name, scope, days } }),
    onSuccess: () => client.invalidateQueries({ queryKey: tokensQuery.queryKey }),
  });

  if (create.data) {
    return (
      <Stack>
        <Text>This is shown once. Keep it like a password.</Text>
        <Copyable text={create.data.token} what="token" />
        <Group justify="flex-end">
          <Button onClick={onDone}>Done</Button>
        </Group>
      </Stack>
    );
  }
  function submit(event: FormEvent) {
    event.preventDefault();
    if (name.trim() !== "") create.mutate();
  }
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput
          label="Name"
          description="Who or what will use it"
          placeholder="alarms"
          required
          data-autofocus
          maxLength={100}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Radio.Group label="It may" value={scope} onChange={(value) => setScope(value as TokenScope)}>
          <Stack gap="xs" mt={6}>
            {SCOPES.map((choice) => (
              <Radio key={choice.value} {...choice} />
            ))}
          </Stack>
        </Radio.Group>
        <NumberInput
          label="Days until it ends"
          min={1}
          max={365}
          clampBehavior="blur"
          value={days}
          onChange={(value) => typeof value === "number" && setDays(value)}
        />
        {create.isError && (
          <Alert role="alert" color="red" variant="outline">
            {sentenceOfError(create.error)}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
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

function Revoke({ token, onDone }: { token: Token | undefined; onDone: () => void }) {
  const client = useQueryClient();
  const revoke = useMutation({
    mutationFn: (id: number) => call("DELETE", `/api/v1/tokens/${id}`),
    onSuccess: async () => {
      onDone();
      announceChange({ title: `Revoked the token ${token?.name ?? ""}` });
      await client.invalidateQueries({ queryKey: tokensQuery.queryKey });
    },
    onError: (error) => sayProblem("Not revoked", error),
  });
  return (
    <Modal opened={token !== undefined} onClose={onDone} title={`Revoke ${token?.name ?? ""}`}>
      <Stack>
        <Text>Whatever uses it is refused from now on. This cannot be undone.</Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            Cancel
          </Button>
          <Button color="red.9" loading={revoke.isPending} onClick={() => token && revoke.mutate(token.id)}>
            Revoke the token
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
