import { Alert, Button, PasswordInput, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useLocation, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import type { Session } from "../../../src/api-types.ts";
import { call, sentenceOfError } from "../api.ts";
import { projectsQuery, sessionQuery, setupQuery } from "../queries.ts";
import { AnchorLink } from "../shell/links.tsx";
import { lastPlace, useTitle } from "../shell/place.ts";
import { AuthFrame } from "./AuthFrame.tsx";
import { fromHash, nameProblem, PASSWORD_LENGTH_MIN, passwordProblem } from "./rules.ts";

/** Names the first account. Reached by the one-time link that the server prints when it starts without accounts. */
export function SetupPage() {
  useTitle("Set up");
  const client = useQueryClient();
  const navigate = useNavigate();
  const setup = useQuery(setupQuery);
  const token = fromHash(useLocation().hash, "token");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [tried, setTried] = useState(false);

  const create = useMutation({
    mutationFn: () => call<Session>("POST", "/api/v1/setup", { body: { token, name, password } }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: setupQuery.queryKey });
      await client.query({ ...sessionQuery, staleTime: 0 });
      const place = lastPlace((await client.query(projectsQuery)).projects);
      if (place) await navigate({ to: "/$project/$environment/start", params: place, replace: true });
    },
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (nameProblem(name) === undefined && passwordProblem(password) === undefined) create.mutate();
  }

  if (setup.data?.needed === false && !create.isPending && !create.isSuccess) {
    return (
      <AuthFrame title="This server is set up">
        <Text>The first account exists already.</Text>
        <AnchorLink to="/sign-in">Sign in</AnchorLink>
      </AuthFrame>
    );
  }
  if (token === undefined) {
    return (
      <AuthFrame title="One step in the terminal">
        <Text>
          This server has no account yet. When it starts, it prints a one-time link that ends in <code>/setup#token=…</code>: open that link
          to name the first account.
        </Text>
        <Text c="dimmed" size="sm">
          If the line is lost, start the server again; it prints a new one.
        </Text>
      </AuthFrame>
    );
  }
  return (
    <AuthFrame title="Name the first account">
      <form onSubmit={submit} noValidate className="sb-form">
        <TextInput
          label="Name"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          data-autofocus
          autoFocus
          required
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={tried && nameProblem(name)}
        />
        <PasswordInput
          label="Password"
          description={`At least ${PASSWORD_LENGTH_MIN} characters. A few words in a row are easy to remember and hard to guess.`}
          autoComplete="new-password"
          required
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          error={tried && passwordProblem(password)}
          visibilityToggleButtonProps={{ "aria-label": "Show the password" }}
        />
        {create.isError && (
          <Alert role="alert" color="red" variant="outline">
            {sentenceOfError(create.error)}
          </Alert>
        )}
        <Button type="submit" loading={create.isPending} fullWidth>
          Create account
        </Button>
      </form>
    </AuthFrame>
  );
}
