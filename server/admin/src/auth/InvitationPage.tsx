import { Alert, Button, Loader, PasswordInput, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useLocation, useRouter } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import type { Offer, Session } from "../../../src/api-types.ts";
import { call, sentenceOfError } from "../api.ts";
import { placeWords, ROLES, roleWord } from "../people/people.ts";
import { AnchorLink } from "../shell/links.tsx";
import { useTitle } from "../shell/place.ts";
import { AuthFrame } from "./AuthFrame.tsx";
import { fromHash, nameProblem, PASSWORD_LENGTH_MIN, passwordProblem } from "./rules.ts";

/** Opens an invitation (`#token=...`): somebody names their account, or sets a new password. */
export function InvitationPage() {
  useTitle("Invitation");
  const token = fromHash(useLocation().hash, "token");
  const offer = useQuery({
    queryKey: ["invitation", token],
    queryFn: () => call<Offer>("POST", "/api/v1/invitations/preview", { body: { token } }),
    enabled: token !== undefined,
    // Each look counts as an attempt.
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (token === undefined || offer.isError) {
    return (
      <AuthFrame title="This invitation does not hold">
        <Text>
          {offer.isError ? sentenceOfError(offer.error) : "The link is not complete: open it as it was sent, with all that follows the #."}
        </Text>
        <AnchorLink to="/sign-in">Sign in</AnchorLink>
      </AuthFrame>
    );
  }
  if (!offer.data) {
    return (
      <AuthFrame title="Invitation">
        <Loader aria-label="Loading the invitation" />
      </AuthFrame>
    );
  }
  return <Accept token={token} offer={offer.data} />;
}

function Accept({ token, offer }: { token: string; offer: Offer }) {
  const client = useQueryClient();
  const router = useRouter();
  const [name, setName] = useState(offer.account ?? "");
  const [password, setPassword] = useState("");
  const [tried, setTried] = useState(false);
  const isNew = offer.account === null;
  const accept = useMutation({
    mutationFn: () => call<Session>("POST", "/api/v1/invitations/accept", { body: { token, password, ...(isNew && { name }) } }),
    onSuccess: () => {
      client.clear();
      router.history.replace("/");
    },
  });
  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if ((!isNew || nameProblem(name) === undefined) && passwordProblem(password) === undefined) accept.mutate();
  }
  return (
    <AuthFrame title={isNew ? "You are invited" : `A new password for ${offer.account}`}>
      {isNew && (
        <>
          <Text>{offer.by} invites you to Signalbox. Your role:</Text>
          {offer.roles.map((role) => (
            <Text size="sm" key={`${role.role} ${role.project} ${role.environment}`}>
              <strong>
                {roleWord(role.role)}, {placeWords(role, [])}.
              </strong>{" "}
              {ROLES.find(({ value }) => value === role.role)?.may}
            </Text>
          ))}
        </>
      )}
      <form onSubmit={submit} noValidate className="sb-form">
        <TextInput
          label="Name"
          {...(isNew && { description: "You sign in with it, and others see it in the history." })}
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          autoFocus={isNew}
          readOnly={!isNew}
          required
          withAsterisk={false}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={tried && isNew && nameProblem(name)}
        />
        <PasswordInput
          label="Password"
          description={`At least ${PASSWORD_LENGTH_MIN} characters. A few words in a row are easy to remember and hard to guess.`}
          autoComplete="new-password"
          autoFocus={!isNew}
          required
          withAsterisk={false}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          error={tried && passwordProblem(password)}
          visibilityToggleButtonProps={{ "aria-label": "Show the password" }}
        />
        {accept.isError && (
          <Alert role="alert" color="red" variant="outline">
            {sentenceOfError(accept.error)}
          </Alert>
        )}
        <Button type="submit" loading={accept.isPending} fullWidth>
          {isNew ? "Make my account" : "Set the password"}
        </Button>
      </form>
    </AuthFrame>
  );
}
