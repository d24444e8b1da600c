import {
  Badge,
  Box,
  Button,
  Group,
  Modal,
  NumberInput,
  Paper,
  Radio,
  Select,
  Stack,
  TagsInput,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { CreateToken, Token, TokenCreated, TokenScope } from "../../../src/api-types.ts";
import { call, sentenceOfError } from "../api.ts";
import { projectsQuery, sessionQuery, tokensQuery } from "../queries.ts";
import { Ago } from "../time.tsx";
import { announceChange } from "../undo.tsx";
import { Refusal, RevokeDialog, RotateDialog, ShownOnce } from "./dialogs.tsx";

const SCOPES: readonly { value: TokenScope; label: string }[] = [
  { value: "kill", label: "Kill only: lists and kills, for alerts" },
  { value: "operator", label: "Operator: kills and restores, for people on call" },
  { value: "viewer", label: "Viewer: reads" },
  { value: "editor", label: "Editor: changes what is not production" },
  { value: "releaser", label: "Releaser: changes production too" },
  { value: "admin", label: "Admin: everything" },
];
const DAYS_DEFAULT = 90;

type Asked = { readonly verb: "rotate" | "revoke"; readonly token: Token };

/** Tokens for the command line and for programs that use the API. */
export function TokensCard() {
  const tokens = useQuery(tokensQuery);
  const client = useQueryClient();
  const [creating, setCreating] = useState(false);
  const [asked, setAsked] = useState<Asked>();
  const list = tokens.data?.tokens ?? [];
  const done = () => setAsked(undefined);
  const of = (verb: Asked["verb"]) => (asked?.verb === verb ? asked.token : undefined);
  const nameOf = (token: Token | undefined) => token && `the token "${token.name}"`;
  const revoking = of("revoke");

  async function followed<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } finally {
      await client.invalidateQueries({ queryKey: tokensQuery.queryKey });
    }
  }
  const create = async (body: CreateToken) => (await followed(call<TokenCreated>("POST", "/api/v1/tokens", { body }))).token;
  async function rotate(oldHours: number | undefined) {
    const body = oldHours === undefined ? {} : { oldHours };
    return (await followed(call<TokenCreated>("POST", `/api/v1/tokens/${of("rotate")?.id}/rotate`, { body }))).token;
  }
  async function revoke() {
    await followed(call("DELETE", `/api/v1/tokens/${revoking?.id}`));
    announceChange({ title: `Revoked the token ${revoking?.name ?? ""}` });
  }
  return (
    <Paper className="sb-card" p="md" component="section" id="tokens" aria-labelledby="tokens-title">
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2} size="h4" id="tokens-title">
            Tokens
          </Title>
          <Button size="xs" variant="default" leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setCreating(true)}>
            New token
          </Button>
        </Group>
        <Text size="sm" c="dimmed">
          For the command line and the API: <code>npx signalbox kill new-search -e production --token …</code>
        </Text>
        {tokens.isError && <Text size="sm">{sentenceOfError(tokens.error)}</Text>}
        {tokens.data && list.length === 0 && <Text size="sm">There is none yet.</Text>}
        <Box component="ul" className="sb-list" aria-labelledby="tokens-title">
          {list.map((token) => (
            <TokenRow key={token.id} token={token} onAsk={(verb) => setAsked({ verb, token })} />
          ))}
        </Box>
      </Stack>
      <Modal opened={creating} onClose={() => setCreating(false)} title="New token" closeOnClickOutside={false}>
        <NewToken create={create} onDone={() => setCreating(false)} />
      </Modal>
      <RotateDialog what={nameOf(of("rotate"))} run={rotate} onDone={done} />
      <RevokeDialog what={nameOf(revoking)} run={revoke} onDone={done}>
        {revoking && (
          <Text>
            {revoking.lastUsedAt === null ? (
              "It was never used."
            ) : (
              <>
                It was used <Ago at={revoking.lastUsedAt} />.
              </>
            )}
          </Text>
        )}
      </RevokeDialog>
    </Paper>
  );
}

function TokenRow({ token, onAsk }: { token: Token; onAsk: (verb: Asked["verb"]) => void }) {
  const { name, kind, scope, flags, selector, createdAt, createdBy, expiresAt, lastUsedAt, may } = token;
  return (
    <Group component="li" className="sb-row" justify="space-between" py={10} gap="xs">
      <Box miw={0}>
        <Group gap={8}>
          <Text size="sm" fw={600}>
            {name}
          </Text>
          <Badge size="sm" variant="outline" color="gray" className="sb-badge">
            {kind}
          </Badge>
          <Badge size="sm" variant="outline" color="gray" className="sb-badge">
            {scope}
          </Badge>
          <Text size="xs" c="dimmed" ff="monospace">
            {selector}
          </Text>
        </Group>
        <Text size="xs">
          {whereOf(token)}
          {flags && `, only ${flags.join(", ")}`}
        </Text>
        <Text size="xs" c="dimmed">
          made <Ago at={createdAt} /> by {createdBy} · ends {new Date(expiresAt).toLocaleDateString()} ·{" "}
          {lastUsedAt === null ? (
            "never used"
          ) : (
            <>
              used <Ago at={lastUsedAt} />
            </>
          )}
        </Text>
      </Box>
      <Group gap={6}>
        {may.includes("rotate") && (
          <Button size="compact-sm" variant="default" aria-label={`Rotate ${name}`} onClick={() => onAsk("rotate")}>
            Rotate
          </Button>
        )}
        {may.includes("revoke") && (
          <Button size="compact-sm" variant="default" aria-label={`Revoke ${name}`} onClick={() => onAsk("revoke")}>
            Revoke
          </Button>
        )}
      </Group>
    </Group>
  );
}

function whereOf({ project, environment }: Pick<Token, "project" | "environment">): string {
  if (project === null) return "everywhere";
  return environment === null ? `in ${project}` : `in ${project}, ${environment}`;
}

function NewToken({ create, onDone }: { create: (wanted: CreateToken) => Promise<string>; onDone: () => void }) {
  const session = useQuery(sessionQuery);
  const projects = useQuery(projectsQuery).data?.projects ?? [];
  const [name, setName] = useState("");
  const [kind, setKind] = useState<"personal" | "service">("personal");
  const [scope, setScope] = useState<TokenScope>("kill");
  const [where, setWhere] = useState("");
  const [flags, setFlags] = useState<string[]>([]);
  const [days, setDays] = useState(DAYS_DEFAULT);
  const [text, setText] = useState<string>();
  const [running, setRunning] = useState(false);
  const [failure, setFailure] = useState<string>();
  if (text !== undefined) return <ShownOnce text={text} what="token" onDone={onDone} />;

  const places = [
    { value: "", label: "Everywhere" },
    ...projects.flatMap((project) => [
      { value: project.key, label: `All of ${project.name}` },
      ...project.environments.map((one) => ({ value: `${project.key}/${one.key}`, label: `${project.name}, ${one.name}` })),
    ]),
  ];
  async function submit(event: FormEvent) {
    event.preventDefault();
    if (name.trim() === "") return;
    setRunning(true);
    setFailure(undefined);
    const [project = "", environment = ""] = where.split("/");
    const at = { project: project || null, environment: environment || null };
    try {
      setText(await create({ name, kind, scope, days, ...at, ...(scope === "kill" && flags.length > 0 && { flags }) }));
    } catch (error) {
      setFailure(sentenceOfError(error));
    }
    setRunning(false);
  }
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack>
        <TextInput
          label="Name"
          description="Who or what will use it"
          placeholder="alerts"
          required
          data-autofocus
          maxLength={100}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        {session.data?.mayGrant === true && (
          <Radio.Group label="Whose it is" value={kind} onChange={(value) => setKind(value as "personal" | "service")}>
            <Stack gap="xs" mt={6}>
              <Radio value="personal" label="Mine" description="Never more than I may, and it ends with my account." />
              <Radio value="service" label="A service's" description="For CI, alerts and the like: it stays when I leave." />
            </Stack>
          </Radio.Group>
        )}
        <Select
          label="It may"
          data={[...SCOPES]}
          allowDeselect={false}
          value={scope}
          onChange={(value) => value && setScope(value as TokenScope)}
        />
        <Select label="Where" data={places} allowDeselect={false} value={where} onChange={(value) => setWhere(value ?? "")} />
        {scope === "kill" && (
          <TagsInput
            label="Only these flags"
            description="Empty: every flag there."
            placeholder={flags.length > 0 ? "" : "new-checkout, Enter"}
            splitChars={[",", " ", "\n"]}
            maxTags={100}
            acceptValueOnBlur
            value={flags}
            onChange={setFlags}
          />
        )}
        <NumberInput
          label="Days until it ends"
          min={1}
          max={365}
          clampBehavior="blur"
          value={days}
          onChange={(value) => typeof value === "number" && setDays(value)}
        />
        {failure !== undefined && <Refusal>{failure}</Refusal>}
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            Cancel
          </Button>
          <Button type="submit" loading={running}>
            Create
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
