import { Alert, Button, Group, Paper, Radio, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import type { FlagWritten } from "../../../src/api-types.ts";
import { call, projectPath, sentenceOfError } from "../api.ts";
import { Copyable } from "../Copy.tsx";
import { flagKeyProblem } from "../flags/flag-key.ts";
import { flagQuery, flagsQuery, type Place, sdkKeysQuery } from "../queries.ts";
import { AnchorLink } from "../shell/links.tsx";
import { useEnvironment, usePlace, useTitle } from "../shell/place.ts";
import { browserPage, installLine, nodeProgram, type ReadBy } from "./snippets.ts";
import { Waiting } from "./Waiting.tsx";

/** Which flag the page is about and where it is read: in the address, so that the page can be loaded again at any step. */
export interface StartSearch {
  readonly flag?: string;
  readonly read?: ReadBy;
}

/** From nothing to a flag that is seen to change in a program: name it, paste the lines, watch. */
export function FirstRunPage() {
  const place = usePlace();
  const { environment } = useEnvironment();
  const { flag, read = "server" } = useSearch({ from: "/$project/$environment/start" });
  useTitle("Start", environment?.name);
  return (
    <Stack gap="lg" maw={980} mx="auto">
      <Stack gap={4}>
        <Title order={1} size="h2">
          From nothing to a flag that you can switch
        </Title>
        <Text c="dimmed">
          Three steps, in {environment?.name ?? place.environment}. Nothing here is an example: the lines work as they stand.
        </Text>
      </Stack>
      {environment?.production && (
        <Alert color="orange" variant="outline" title="This is production">
          The lines below hold keys of production. To try things out, choose another environment above.
        </Alert>
      )}
      <NameStep place={place} flag={flag} read={read} />
      {flag !== undefined && <LinesStep place={place} flag={flag} read={read} />}
      {flag !== undefined && <Waiting key={`${place.environment}/${flag}`} place={place} flag={flag} />}
      <Text>
        <AnchorLink to="/$project/$environment/flags" params={place}>
          Go to the flags
        </AnchorLink>
      </Text>
    </Stack>
  );
}

const READ_BY: readonly { value: ReadBy; label: string; description: string }[] = [
  { value: "server", label: "On a server", description: "A Node program. Browsers are told nothing of the flag." },
  { value: "browser", label: "In a browser", description: "A web page. Its rules can be read by anybody." },
  { value: "both", label: "Both", description: "The same answer for the same person in both." },
];

function NameStep({ place, flag, read }: { place: Place; flag: string | undefined; read: ReadBy }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [key, setKey] = useState("new-checkout");
  const [where, setWhere] = useState<ReadBy>(read);
  const create = useMutation({
    mutationFn: () => {
      const body = { key, browser: where !== "server" };
      return call<FlagWritten>("POST", `${projectPath(place.project)}/flags`, { body });
    },
    onSuccess: async (written) => {
      await client.invalidateQueries({ queryKey: flagsQuery(place).queryKey });
      await navigate({ to: "/$project/$environment/start", params: place, search: { flag: written.flag.key, read: where } });
    },
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    if (flagKeyProblem(key) === undefined) create.mutate();
  }

  return (
    <Paper className="sb-card" p="lg" component="section" aria-labelledby="step-name">
      <Title order={2} size="h4" id="step-name" mb="sm">
        1 · Name your first flag
      </Title>
      {flag !== undefined ? (
        <Group gap="sm">
          <Text>
            <b>{flag}</b>, read {read === "both" ? "on servers and in browsers" : read === "server" ? "on servers" : "in browsers"}.
          </Text>
          <AnchorLink to="/$project/$environment/start" params={place} search={{}} size="sm">
            Make another
          </AnchorLink>
        </Group>
      ) : (
        <form onSubmit={submit} noValidate>
          <Stack>
            <TextInput
              label="Flag key"
              description="What your program asks for."
              autoFocus
              autoCapitalize="none"
              spellCheck={false}
              maw={420}
              value={key}
              onChange={(event) => setKey(event.currentTarget.value)}
              error={flagKeyProblem(key)}
            />
            <Radio.Group label="Where is it read?" value={where} onChange={(value) => setWhere(value as ReadBy)}>
              <Stack gap="xs" mt={6}>
                {READ_BY.map((choice) => (
                  <Radio key={choice.value} {...choice} />
                ))}
              </Stack>
            </Radio.Group>
            {create.isError && (
              <Alert role="alert" color="red" variant="outline">
                {sentenceOfError(create.error)}
              </Alert>
            )}
            <Group>
              <Button type="submit" loading={create.isPending}>
                Create
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Paper>
  );
}

function LinesStep({ place, flag, read }: { place: Place; flag: string; read: ReadBy }) {
  const keys = useQuery(sdkKeysQuery(place));
  const known = useQuery(flagQuery(place, flag));
  return (
    <Paper className="sb-card" p="lg" component="section" aria-labelledby="step-lines">
      <Stack gap="md">
        <Title order={2} size="h4" id="step-lines">
          2 · Paste the lines
        </Title>
        {known.isError && (
          <Alert color="red" variant="outline">
            {sentenceOfError(known.error)}
          </Alert>
        )}
        {keys.isError && (
          <Alert color="red" variant="outline">
            {sentenceOfError(keys.error)}
          </Alert>
        )}
        {keys.data && read !== "browser" && (
          <>
            <Text size="sm">In an empty folder, or that of your program:</Text>
            <Copyable what="install line" text={installLine(keys.data)} />
            <Text size="sm">
              Save this as <code>app.mjs</code>:
            </Text>
            <Copyable what="Node program" text={nodeProgram(keys.data, flag)} />
            <Text size="sm">And run it:</Text>
            <Copyable what="run line" text="node app.mjs" />
          </>
        )}
        {keys.data && read !== "server" && (
          <>
            <Text size="sm">
              Save this as <code>page.html</code> and open it in a browser:
            </Text>
            <Copyable what="web page" text={browserPage(keys.data, flag)} />
          </>
        )}
      </Stack>
    </Paper>
  );
}
