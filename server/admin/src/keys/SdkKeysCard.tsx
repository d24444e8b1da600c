import { Badge, Box, Button, Group, Modal, NumberInput, Paper, Radio, Stack, TagsInput, Text, TextInput, Title } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { CreateSdkKey, SdkKey, SdkKeyMade, SdkKeys } from "../../../src/api-types.ts";
import { call, sentenceOfError } from "../api.ts";
import { CopyText } from "../Copy.tsx";
import { type Place, pathOf, sdkKeysQuery } from "../queries.ts";
import { useEnvironment } from "../shell/place.ts";
import { Ago } from "../time.tsx";
import { announceChange } from "../undo.tsx";
import { Refusal, RevokeDialog, RotateDialog, ShownOnce } from "./dialogs.tsx";

type Asked = { readonly verb: "rotate" | "revoke" | "origins"; readonly key: SdkKey };

/** The SDK keys of an environment, who comes with each, and what can be done with it. */
export function SdkKeysCard({ place }: { place: Place }) {
  const { environment } = useEnvironment();
  const keys = useQuery(sdkKeysQuery(place));
  const [creating, setCreating] = useState(false);
  const [asked, setAsked] = useState<Asked>();
  const actions = useKeyActions(place);
  const done = () => setAsked(undefined);
  const of = (verb: Asked["verb"]) => (asked?.verb === verb ? asked.key : undefined);
  const nameOf = (key: SdkKey | undefined) => key && `the ${key.kind} key "${key.name}"`;
  const revoking = of("revoke");
  const editing = of("origins");
  return (
    <Paper className="sb-card" p="md" component="section" id="keys" aria-labelledby="keys-title">
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2} size="h4" id="keys-title">
            SDK keys of {environment?.name ?? place.environment}
          </Title>
          {keys.data && (
            <Button size="xs" variant="default" leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setCreating(true)}>
              New SDK key
            </Button>
          )}
        </Group>
        <Text size="sm" c="dimmed">
          For programs that read flags. A server key is a secret; a browser key is public and sees only flags that are visible in browsers.
        </Text>
        {keys.isError && <Text size="sm">{sentenceOfError(keys.error)}</Text>}
        {keys.data && (
          <>
            <Box component="ul" className="sb-list" aria-labelledby="keys-title">
              {keys.data.keys.map((key) => (
                <KeyRow key={key.id} sdkKey={key} text={textOf(keys.data, key)} onAsk={(verb) => setAsked({ verb, key })} />
              ))}
            </Box>
            <Group gap="xs" wrap="nowrap">
              <Text size="sm" flex={1} miw={0}>
                Programs reach this server at <b className="sb-secret">{keys.data.url}</b>
              </Text>
              <CopyText text={keys.data.url} what="URL" />
            </Group>
          </>
        )}
      </Stack>
      <Modal opened={creating} onClose={() => setCreating(false)} title="New SDK key" closeOnClickOutside={false}>
        <NewKey create={actions.create} onDone={() => setCreating(false)} />
      </Modal>
      <RotateDialog what={nameOf(of("rotate"))} run={(oldHours) => actions.rotate(of("rotate"), oldHours)} onDone={done} />
      <RevokeDialog what={nameOf(revoking)} run={() => actions.revoke(revoking)} onDone={done}>
        {revoking && <Text>{programsOf(revoking)}</Text>}
      </RevokeDialog>
      <Modal opened={editing !== undefined} onClose={done} title={`Origins of ${nameOf(editing) ?? ""}`}>
        {editing && <Origins key={editing.id} sdkKey={editing} save={actions.setOrigins} onDone={done} />}
      </Modal>
    </Paper>
  );
}

/** Of the keys that were made with the environment the texts can be shown again. */
function textOf(keys: SdkKeys, key: SdkKey): string | undefined {
  const text = keys[key.kind];
  return text?.includes(`_${key.selector}_`) ? text : undefined;
}

function KeyRow({ sdkKey, text, onAsk }: { sdkKey: SdkKey; text: string | undefined; onAsk: (verb: Asked["verb"]) => void }) {
  const { kind, name, selector, origins, createdAt, createdBy, expiresAt, lastUsedAt } = sdkKey;
  return (
    <Box component="li" className="sb-row" py={10}>
      <Group justify="space-between" gap="xs">
        <Group gap={8} miw={0}>
          <Text size="sm" fw={600}>
            {name}
          </Text>
          <Badge size="sm" variant="outline" color="gray" className="sb-badge">
            {kind}
          </Badge>
          <Text size="xs" c="dimmed" ff="monospace">
            {selector}
          </Text>
        </Group>
        <Group gap={6}>
          {kind === "browser" && (
            <Button size="compact-sm" variant="default" aria-label={`Origins of ${name}`} onClick={() => onAsk("origins")}>
              Origins
            </Button>
          )}
          <Button size="compact-sm" variant="default" aria-label={`Rotate the ${kind} key ${name}`} onClick={() => onAsk("rotate")}>
            Rotate
          </Button>
          <Button size="compact-sm" variant="default" aria-label={`Revoke the ${kind} key ${name}`} onClick={() => onAsk("revoke")}>
            Revoke
          </Button>
        </Group>
      </Group>
      <Text size="xs" c="dimmed">
        made <Ago at={createdAt} /> by {createdBy} · {expiresAt === null ? "no end" : `ends ${new Date(expiresAt).toLocaleString()}`} ·{" "}
        {lastUsedAt === null ? (
          "never used"
        ) : (
          <>
            used <Ago at={lastUsedAt} />
          </>
        )}
      </Text>
      <Text size="xs">{programsOf(sdkKey)}</Text>
      {kind === "browser" && (
        <Text size="xs">{origins.length === 0 ? "Pages of every origin may use it." : `For pages of ${origins.join(", ")}.`}</Text>
      )}
      {text !== undefined && (
        <Group gap="xs" wrap="nowrap" mt={6}>
          <Text size="sm" ff="monospace" flex={1} miw={0} className="sb-secret">
            {text}
          </Text>
          <CopyText text={text} what={`${kind} key`} />
        </Group>
      )}
    </Box>
  );
}

function programsOf({ connected, apps }: SdkKey): string {
  if (connected === 0) return "No program that runs now came with it.";
  const names = apps.map(({ app, programs }) => (programs === 1 ? app : `${app} (${programs})`)).join(", ");
  return `${connected === 1 ? "1 program" : `${connected} programs`} came with it: ${names}.`;
}

function NewKey({ create, onDone }: { create: (wanted: CreateSdkKey) => Promise<string>; onDone: () => void }) {
  const [name, setName] = useState("");
  const [kind, setKind] = useState<CreateSdkKey["kind"]>("server");
  const [origins, setOrigins] = useState<string[]>([]);
  const [days, setDays] = useState<number | "">("");
  const [text, setText] = useState<string>();
  const [running, setRunning] = useState(false);
  const [failure, setFailure] = useState<string>();
  if (text !== undefined) return <ShownOnce text={text} what="SDK key" onDone={onDone} />;
  async function submit(event: FormEvent) {
    event.preventDefault();
    if (name.trim() === "") return;
    setRunning(true);
    setFailure(undefined);
    try {
      setText(await create({ kind, name, ...(kind === "browser" && { origins }), ...(days !== "" && { days }) }));
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
          description="The program that will use it. With a key of its own each can be replaced alone."
          placeholder="billing"
          required
          data-autofocus
          maxLength={100}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Radio.Group label="For" value={kind} onChange={(value) => setKind(value as CreateSdkKey["kind"])}>
          <Stack gap="xs" mt={6}>
            <Radio value="server" label="Servers" description="Sees every flag and its rules. A secret." />
            <Radio value="browser" label="Browsers" description="Sees only flags that are marked for browsers. Public." />
          </Stack>
        </Radio.Group>
        {kind === "browser" && <OriginsInput value={origins} onChange={setOrigins} />}
        <NumberInput
          label="Days until it ends"
          description="Empty: it holds until it is revoked."
          min={1}
          max={3_650}
          clampBehavior="blur"
          value={days}
          onChange={(value) => setDays(typeof value === "number" ? value : "")}
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

function OriginsInput({ value, onChange }: { value: string[]; onChange: (value: string[]) => void }) {
  return (
    <TagsInput
      label="Origins"
      description="Pages that may use it, by scheme, host and port. Empty: pages of every origin may."
      placeholder={value.length > 0 ? "" : "https://shop.example, Enter"}
      splitChars={[",", " ", "\n"]}
      maxTags={50}
      acceptValueOnBlur
      value={value}
      onChange={onChange}
    />
  );
}

interface OriginsProps {
  readonly sdkKey: SdkKey;
  readonly save: (key: SdkKey, origins: string[]) => Promise<unknown>;
  readonly onDone: () => void;
}

function Origins({ sdkKey, save, onDone }: OriginsProps) {
  const [origins, setOrigins] = useState([...sdkKey.origins]);
  const [running, setRunning] = useState(false);
  const [failure, setFailure] = useState<string>();
  async function go() {
    setRunning(true);
    setFailure(undefined);
    try {
      await save(sdkKey, origins);
      onDone();
    } catch (error) {
      setFailure(sentenceOfError(error));
    }
    setRunning(false);
  }
  return (
    <Stack>
      <OriginsInput value={origins} onChange={setOrigins} />
      <Text size="sm" c="dimmed">
        Open pages lose their connection for a moment and come back, if they may.
      </Text>
      {failure !== undefined && <Refusal>{failure}</Refusal>}
      <Group justify="flex-end">
        <Button variant="default" onClick={onDone}>
          Cancel
        </Button>
        <Button loading={running} onClick={() => void go()}>
          Save the origins
        </Button>
      </Group>
    </Stack>
  );
}

/** Each rejects with what the server says; the list follows what was done. */
function useKeyActions(place: Place) {
  const client = useQueryClient();
  const at = `${pathOf(place)}/sdk-keys`;
  async function followed<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } finally {
      await client.invalidateQueries({ queryKey: sdkKeysQuery(place).queryKey });
    }
  }
  return {
    create: async (body: CreateSdkKey) => (await followed(call<SdkKeyMade>("POST", at, { body }))).text,
    async rotate(key: SdkKey | undefined, oldHours: number | undefined) {
      const body = oldHours === undefined ? {} : { oldHours };
      return (await followed(call<SdkKeyMade>("POST", `${at}/${key?.id}/rotate`, { body }))).text;
    },
    async revoke(key: SdkKey | undefined) {
      await followed(call("DELETE", `${at}/${key?.id}`));
      announceChange({ title: `Revoked the ${key?.kind} key ${key?.name}` });
    },
    async setOrigins({ id, name, etag }: SdkKey, origins: string[]) {
      await followed(call<SdkKey>("PATCH", `${at}/${id}`, { body: { origins }, ifMatch: etag }));
      announceChange({ title: `Saved the origins of ${name}` });
    },
  };
}
