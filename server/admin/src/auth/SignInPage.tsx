import { Alert, Button, Loader, PasswordInput, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useLocation, useRouter, useSearch } from "@tanstack/react-router";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { call, sentenceOfError } from "../api.ts";
import { setupQuery } from "../queries.ts";
import { useTitle } from "../shell/place.ts";
import { AuthFrame } from "./AuthFrame.tsx";
import { fromHash } from "./rules.ts";

type Credentials = { name: string; password: string } | { link: string };

/** Signs in by name and password, or by a one-time link (`#link=...`), and goes where the person wanted to be. */
export function SignInPage() {
  useTitle("Sign in");
  const client = useQueryClient();
  const router = useRouter();
  const { next } = useSearch({ from: "/sign-in" });
  const setup = useQuery(setupQuery);
  const link = fromHash(useLocation().hash, "link");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const linkUsed = useRef<string>(undefined);

  const signIn = useMutation({
    mutationFn: (credentials: Credentials) => call("POST", "/api/v1/session", { body: credentials }),
    onSuccess: async () => {
      client.clear();
      router.history.replace(inside(next));
    },
  });

  const { mutate } = signIn;
  useEffect(() => {
    // A link can be used once; React runs effects twice while developing.
    if (link === undefined || linkUsed.current === link) return;
    linkUsed.current = link;
    mutate({ link });
  }, [link, mutate]);

  function submit(event: FormEvent) {
    event.preventDefault();
    if (name !== "" && password !== "") signIn.mutate({ name, password });
  }

  if (link !== undefined && !signIn.isError) {
    return (
      <AuthFrame title="Signing in">
        <Loader aria-label="Signing in" />
      </AuthFrame>
    );
  }
  return (
    <AuthFrame title="Sign in">
      {setup.data?.needed && (
        <Alert color="indigo" variant="outline">
          This server has no account yet. Open the one-time link that it printed when it started.
        </Alert>
      )}
      <form onSubmit={submit} className="sb-form">
        <TextInput
          label="Name"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          autoFocus
          required
          withAsterisk={false}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <PasswordInput
          label="Password"
          autoComplete="current-password"
          required
          withAsterisk={false}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          visibilityToggleButtonProps={{ "aria-label": "Show the password" }}
        />
        {signIn.isError && (
          <Alert role="alert" color="red" variant="outline">
            {sentenceOfError(signIn.error)}
          </Alert>
        )}
        <Button type="submit" loading={signIn.isPending} fullWidth>
          Sign in
        </Button>
      </form>
      <Text size="sm" c="dimmed">
        An incident? <a href="/kill">/kill</a> works without JavaScript.
      </Text>
    </AuthFrame>
  );
}

/** Only an address of this application: `next` can be written by anybody who makes somebody open a link. */
export function inside(next: string | undefined): string {
  return next?.startsWith("/") && !next.startsWith("//") && !next.startsWith("/\\") && !next.startsWith("/sign-in") ? next : "/";
}
