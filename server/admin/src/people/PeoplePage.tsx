import { Badge, Box, Button, CloseButton, Group, Menu, Paper, Stack, Text, Title } from "@mantine/core";
import { IconChevronDown, IconUserPlus } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Account, Invitation } from "../../../src/api-types.ts";
import { call, sentenceOfError } from "../api.ts";
import { projectsQuery, sessionQuery } from "../queries.ts";
import { Failure, Loading } from "../shell/Failure.tsx";
import { useTitle } from "../shell/place.ts";
import { Ago } from "../time.tsx";
import { announceChange, sayProblem } from "../undo.tsx";
import { AccountDialogs, type Asked } from "./AccountDialogs.tsx";
import { InviteDialog } from "./InviteDialog.tsx";
import { accountPath, accountsQuery, invitationsQuery, placeWords, ROLES, refreshPeople, roleWord } from "./people.ts";

/** Who may do what: people with their roles, and invitations that are open. */
export function PeoplePage() {
  useTitle("People");
  const { data: session } = useQuery(sessionQuery);
  const accounts = useQuery(accountsQuery);
  const [inviting, setInviting] = useState(false);
  const [asked, setAsked] = useState<Asked>();
  if (session && !session.mayGrant) {
    return (
      <Failure
        error={new Error("Only admins see who may do what: ask one of them, or look at your own roles on the page of your account.")}
      />
    );
  }
  if (accounts.isError) return <Failure error={accounts.error} retry={() => void accounts.refetch()} />;
  if (!accounts.data || !session) return <Loading what="the people" />;
  return (
    <Stack gap="lg">
      <Group justify="space-between">
        <Title order={1} size="h2">
          People
        </Title>
        <Button leftSection={<IconUserPlus size={18} aria-hidden />} onClick={() => setInviting(true)}>
          Invite
        </Button>
      </Group>
      <Paper className="sb-card" p="md">
        <Box component="ul" className="sb-list" aria-label="People">
          {accounts.data.accounts.map((account) => (
            <Person key={account.name} account={account} isAdmin={session.may.includes("admin")} onAsk={setAsked} />
          ))}
        </Box>
      </Paper>
      <Invitations />
      <RoleTable />
      <InviteDialog opened={inviting} onClose={() => setInviting(false)} />
      <AccountDialogs asked={asked} onClose={() => setAsked(undefined)} />
    </Stack>
  );
}

interface PersonProps {
  readonly account: Account;
  /** The reader may do everything: disable, delete, reset. */
  readonly isAdmin: boolean;
  readonly onAsk: (asked: Asked) => void;
}

function Person({ account, isAdmin, onAsk }: PersonProps) {
  const client = useQueryClient();
  const { data } = useQuery(projectsQuery);
  const { name, roles, disabled, self, seenAt } = account;

  async function take(role: Account["roles"][number]) {
    const words = `${roleWord(role.role)}, ${placeWords(role, data?.projects ?? [])}`;
    try {
      await call("DELETE", `${accountPath(name)}/roles/${role.id}`);
      await refreshPeople(client);
      const { id: _gone, ...given } = role;
      const undo = async () => {
        await call("POST", `${accountPath(name)}/roles`, { body: given });
        await refreshPeople(client);
      };
      announceChange({ title: `${name} is no longer ${words}`, undo });
    } catch (error) {
      sayProblem("Nothing was changed", error);
    }
  }

  return (
    <Group component="li" className="sb-row" justify="space-between" py={10} gap="xs" align="flex-start">
      <Box miw={0} flex={1}>
        <Group gap={8}>
          <Text fw={600}>{name}</Text>
          {self && (
            <Text size="sm" c="dimmed">
              you
            </Text>
          )}
          {disabled && (
            <Badge size="sm" variant="outline" color="red" className="sb-badge">
              Disabled
            </Badge>
          )}
        </Group>
        <Text size="xs" c="dimmed">
          {seenAt === null ? (
            "not seen yet"
          ) : (
            <>
              seen <Ago at={seenAt} />
            </>
          )}
        </Text>
        <Group gap={6} mt={6} component="ul" className="sb-list" aria-label={`Roles of ${name}`}>
          {roles.length === 0 && (
            <Text component="li" size="sm" c="dimmed">
              No role: may do nothing.
            </Text>
          )}
          {roles.map((role) => (
            <Group component="li" key={role.id} gap={2} wrap="nowrap" className="sb-tag">
              <Text size="sm">
                <strong>{roleWord(role.role)}</strong> {placeWords(role, data?.projects ?? [])}
              </Text>
              <CloseButton
                size="sm"
                aria-label={`Take from ${name}: ${roleWord(role.role)}, ${placeWords(role, data?.projects ?? [])}`}
                onClick={() => void take(role)}
              />
            </Group>
          ))}
        </Group>
      </Box>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <Button
            size="compact-sm"
            variant="default"
            rightSection={<IconChevronDown size={15} aria-hidden />}
            aria-label={`Change ${name}`}
          >
            Change
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => onAsk({ what: "role", account })}>Give a role</Menu.Item>
          <Menu.Item disabled={!isAdmin} onClick={() => onAsk({ what: "reset", account })}>
            Link for a new password
          </Menu.Item>
          <Menu.Item disabled={!isAdmin} onClick={() => onAsk({ what: "disable", account })}>
            {disabled ? "Enable" : "Disable"}
          </Menu.Item>
          <Menu.Item disabled={!isAdmin} color="red" onClick={() => onAsk({ what: "delete", account })}>
            Delete
          </Menu.Item>
          {!isAdmin && <Menu.Label>The last three are for admins of everything.</Menu.Label>}
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}

function Invitations() {
  const client = useQueryClient();
  const invitations = useQuery(invitationsQuery);
  const { data } = useQuery(projectsQuery);
  const open = invitations.data?.invitations ?? [];
  if (invitations.isError) return <Text size="sm">{sentenceOfError(invitations.error)}</Text>;
  if (open.length === 0) return null;

  async function revoke({ id, note }: Invitation) {
    try {
      await call("DELETE", `/api/v1/invitations/${id}`);
      await refreshPeople(client);
      announceChange({ title: `Took back the invitation${note ? ` for ${note}` : ""}` });
    } catch (error) {
      sayProblem("Not taken back", error);
    }
  }
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="invitations-title">
      <Title order={2} size="h4" id="invitations-title">
        Open invitations
      </Title>
      <Box component="ul" className="sb-list">
        {open.map((invitation) => (
          <Group component="li" key={invitation.id} className="sb-row" justify="space-between" py={8} gap="xs">
            <Box miw={0} flex={1}>
              <Text size="sm" fw={600}>
                {invitation.note || `Invitation ${invitation.id}`}
              </Text>
              <Text size="xs" c="dimmed">
                {invitation.roles.map((role) => `${roleWord(role.role)}, ${placeWords(role, data?.projects ?? [])}`).join(" · ")} · by{" "}
                {invitation.by} · until {new Date(invitation.expiresAt).toLocaleDateString()}
              </Text>
            </Box>
            <Button
              size="compact-sm"
              variant="default"
              aria-label={`Take back the invitation ${invitation.note || invitation.id}`}
              onClick={() => void revoke(invitation)}
            >
              Take back
            </Button>
          </Group>
        ))}
      </Box>
    </Paper>
  );
}

function RoleTable() {
  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="roles-title">
      <Title order={2} size="h4" id="roles-title" mb="xs">
        What the roles may
      </Title>
      <Box component="dl" m={0}>
        {ROLES.map(({ value, label, may }) => (
          <Box key={value} mb={6}>
            <Text component="dt" size="sm" fw={600}>
              {label}
            </Text>
            <Text component="dd" size="sm" c="dimmed" m={0}>
              {may}
            </Text>
          </Box>
        ))}
      </Box>
    </Paper>
  );
}
