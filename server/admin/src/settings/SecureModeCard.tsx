import { Alert, Box, Button, Group, Modal, Paper, Stack, Switch, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { EnvironmentSettings } from "../../../src/api-types.ts";
import { sentenceOfError } from "../api.ts";
import { Copyable, CopyText } from "../Copy.tsx";
import { type Place, settingsQuery, signingSecretsQuery } from "../queries.ts";
import { useEnvironment } from "../shell/place.ts";
import { useSettingsActions } from "./actions.ts";

type Asked = "mode" | "rotate" | "retire-old";

/** Whether pages have to prove whom they ask for, and the secret with which the app's server does that for them. */
export function SecureModeCard({ place }: { place: Place }) {
  const { environment } = useEnvironment();
  const settings = useQuery(settingsQuery(place));
  const [asked, setAsked] = useState<Asked>();
  const name = environment?.name ?? place.environment;
  return (
    <Paper className="sb-card" p="md" component="section" id="secure-mode" aria-labelledby="secure-mode-title">
      <Stack gap="sm">
        <Title order={2} size="h4" id="secure-mode-title">
          Secure mode in {name}
        </Title>
        <Text size="sm" c="dimmed">
          A page says for whom it asks, and anybody can write another key there: to see whether somebody is in a group, or to join early
          access in their name. In secure mode a page is believed only what your own server has signed.
        </Text>
        {settings.isError && <Text size="sm">{sentenceOfError(settings.error)}</Text>}
        {settings.data && (
          <>
            <Switch
              label="Pages have to send a signed context"
              checked={settings.data.secureMode}
              onChange={() => setAsked("mode")}
              aria-haspopup="dialog"
            />
            <Secrets place={place} settings={settings.data} onAsk={setAsked} />
            <Box>
              <Text size="sm" fw={600} mb={4}>
                On your server
              </Text>
              <Copyable text={SERVER_LINES} what="lines for your server" />
            </Box>
            <Text size="sm" c="dimmed">
              The page fetches that text and hands it on. Programs with a server key are believed as they are; nothing changes for them.
            </Text>
          </>
        )}
      </Stack>
      {settings.data && <Ask asked={asked} name={name} place={place} settings={settings.data} onDone={() => setAsked(undefined)} />}
    </Paper>
  );
}

const SERVER_LINES = `import { signContext } from "@signalbox/node";

// What your server knows of whoever is signed in, never what the page says.
app.get("/flags-context", (c) => {
  const user = signedIn(c);
  return c.text(signContext({ key: user.id, plan: user.plan }, { secret: process.env.SIGNALBOX_SIGNING_SECRET }));
});`;

interface SecretsProps {
  readonly place: Place;
  readonly settings: EnvironmentSettings;
  readonly onAsk: (asked: Asked) => void;
}

function Secrets({ place, settings, onAsk }: SecretsProps) {
  const [shown, setShown] = useState(false);
  const secrets = useQuery({ ...signingSecretsQuery(place), enabled: shown });
  const { version, oldHolds } = settings.signingSecret;
  return (
    <Stack gap={8}>
      <Group gap="xs">
        <Text size="sm" fw={600}>
          Signing secret {version}
        </Text>
        <Text size="sm" c="dimmed">
          For your servers only; it is no SDK key.
        </Text>
      </Group>
      {secrets.isError && <Text size="sm">{sentenceOfError(secrets.error)}</Text>}
      {shown &&
        secrets.data?.secrets.map((secret) => (
          <Group key={secret.version} gap="xs" wrap="nowrap">
            <Text size="sm" ff="monospace" flex={1} miw={0} className="sb-secret">
              {secret.secret}
            </Text>
            <CopyText text={secret.secret} what={`signing secret ${secret.version}`} />
          </Group>
        ))}
      <Group gap="xs">
        <Button size="xs" variant="default" aria-expanded={shown} onClick={() => setShown(!shown)}>
          {shown ? "Hide" : oldHolds ? "Show both secrets" : "Show the secret"}
        </Button>
        {!oldHolds && (
          <Button size="xs" variant="default" aria-haspopup="dialog" onClick={() => onAsk("rotate")}>
            Replace the secret
          </Button>
        )}
      </Group>
      {oldHolds && (
        <Alert color="orange" variant="outline" title={`Secret ${version - 1} still holds`}>
          <Stack gap="xs" align="flex-start">
            <Text size="sm">
              Give secret {version} to all your servers. Pages may use what was signed with secret {version - 1} until it ends; retire it
              then.
            </Text>
            <Button size="xs" variant="default" aria-haspopup="dialog" onClick={() => onAsk("retire-old")}>
              Retire secret {version - 1}
            </Button>
          </Stack>
        </Alert>
      )}
    </Stack>
  );
}

interface AskProps {
  readonly asked: Asked | undefined;
  readonly name: string;
  readonly place: Place;
  readonly settings: EnvironmentSettings;
  readonly onDone: () => void;
}

/** Says what will happen before it does: all three can shut pages out. */
function Ask({ asked, name, place, settings, onDone }: AskProps) {
  const actions = useSettingsActions(place);
  const [running, setRunning] = useState(false);
  const { version } = settings.signingSecret;
  const on = !settings.secureMode;
  const steps = {
    mode: {
      title: on ? `Switch secure mode on in ${name}?` : `Switch secure mode off in ${name}?`,
      text: on
        ? "Pages that send no signed context are told no facts from now on: where a flag asks who is in a group or on a list, they get the safe answer. Let your server sign first; signed contexts are taken already."
        : "From now on every page is believed whom it says it asks for. Whoever has the browser key can ask for anybody.",
      button: on ? "Switch it on" : "Switch it off",
      run: () =>
        actions.save(settings, { secureMode: on }, on ? `Switched secure mode on in ${name}` : `Switched secure mode off in ${name}`),
    },
    rotate: {
      title: `Replace the signing secret of ${name}?`,
      text: `Secret ${version + 1} is made. Secret ${version} goes on holding until you retire it, so nothing breaks meanwhile.`,
      button: `Make secret ${version + 1}`,
      run: () => actions.secret(settings, "rotate", `Made signing secret ${version + 1} of ${name}`),
    },
    "retire-old": {
      title: `Retire signing secret ${version - 1} of ${name}?`,
      text: `Whatever was signed with secret ${version - 1} is refused from now on. This cannot be undone.`,
      button: `Retire secret ${version - 1}`,
      run: () => actions.secret(settings, "retire-old", `Retired signing secret ${version - 1} of ${name}`),
    },
  } as const;
  const step = asked && steps[asked];
  async function run() {
    setRunning(true);
    if (await step?.run()) onDone();
    setRunning(false);
  }
  return (
    <Modal opened={step !== undefined} onClose={onDone} title={step?.title}>
      <Stack>
        <Text>{step?.text}</Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            Cancel
          </Button>
          <Button {...(asked === "retire-old" && { color: "red.9" })} loading={running} onClick={() => void run()}>
            {step?.button}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
