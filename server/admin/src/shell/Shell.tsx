import {
  ActionIcon,
  Alert,
  Box,
  Button,
  Container,
  Group,
  Kbd,
  Menu,
  Modal,
  Stack,
  Switch,
  Text,
  useMantineColorScheme,
  VisuallyHidden,
} from "@mantine/core";
import {
  IconBroadcast,
  IconCheck,
  IconChevronDown,
  IconDeviceDesktop,
  IconKeyboard,
  IconLogout,
  IconMoon,
  IconSettings,
  IconSun,
  IconUser,
} from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { call } from "../api.ts";
import { useLive, useLiveStore } from "../live.ts";
import { instancesQuery, projectsQuery, sessionQuery } from "../queries.ts";
import { sayProblem, undoLast } from "../undo.tsx";
import { Failure, Loading } from "./Failure.tsx";
import { HeartbeatFigure } from "./Heartbeat.tsx";
import { Logo } from "./Logo.tsx";
import { AnchorLink } from "./links.tsx";
import { useOthersChanges } from "./others.ts";
import { useEnvironment, usePlace, useRemembered } from "./place.ts";
import { RightsNote } from "./rights.tsx";
import { setShortcuts, shortcutsOn, useShortcuts } from "./shortcuts.ts";

/** How long the live connection may be gone before the page says so: a reconnect is not worth a banner. */
const QUIET_MS = 4_000;

/** Header, band of production and the page of one environment. */
export function Shell() {
  const place = usePlace();
  const { environment, loaded } = useEnvironment();
  const session = useQuery(sessionQuery);
  const navigate = useNavigate();
  const live = useLiveStore();
  const [helpOpen, setHelpOpen] = useState(false);
  useRemembered(place);
  useOthersChanges();
  useEffect(() => live.start(), [live]);

  const page = useRef<HTMLDivElement>(null);
  const { pathname } = useLocation();
  const shown = useRef(pathname);
  useEffect(() => {
    // A new page starts at its beginning for the keyboard too, unless something on it has taken the focus.
    if (shown.current !== pathname && document.activeElement === document.body) page.current?.focus({ preventScroll: true });
    shown.current = pathname;
  }, [pathname]);

  const signedOut = session.data === null;
  useEffect(() => {
    if (signedOut) void navigate({ to: "/sign-in", search: { next: location.pathname + location.search } });
  }, [signedOut, navigate]);

  useShortcuts({
    u: undoLast,
    "?": () => setHelpOpen(true),
    "g f": () => void navigate({ to: "/$project/$environment/flags", params: place }),
    "g g": () => void navigate({ to: "/$project/$environment/groups", params: place }),
    "g l": () => void navigate({ to: "/$project/$environment/fleet", params: place }),
    "g h": () => void navigate({ to: "/$project/$environment/history", params: place }),
    "g k": () => void navigate({ to: "/$project/$environment/keys", params: place }),
    "g s": () => void navigate({ to: "/$project/$environment/settings", params: place }),
  });

  if (signedOut) return <Loading what="the sign-in page" />;
  if (loaded && !environment) {
    return <Failure error={new Error(`There is no environment "${place.environment}" in the project "${place.project}".`)} />;
  }
  return (
    <>
      <a className="sb-skip" href="#page">
        Skip to the page
      </a>
      <header className="sb-header">
        {environment?.production && <div className="sb-production">PRODUCTION</div>}
        <Container size="lg" py={8}>
          <Group gap="xs" wrap="wrap">
            <Group gap="sm" wrap="nowrap">
              <AnchorLink to="/" underline="never" c="inherit" aria-label="Signalbox, flags">
                <Logo compact />
              </AnchorLink>
              <EnvironmentMenu />
            </Group>
            <Group gap={6} wrap="nowrap" ml="auto" style={{ order: 2 }}>
              <HeartbeatFigure />
              <Connected />
              <SchemeMenu />
              <AccountMenu onHelp={() => setHelpOpen(true)} />
            </Group>
            <nav aria-label="Main" className="sb-nav">
              <Link to="/$project/$environment/flags" params={place}>
                Flags
              </Link>
              <Link to="/$project/$environment/groups" params={place}>
                Groups
              </Link>
              <Link to="/$project/$environment/fleet" params={place}>
                Fleet
              </Link>
              <Link to="/$project/$environment/history" params={place}>
                History
              </Link>
              <Link to="/$project/$environment/compare" params={place}>
                Compare
              </Link>
              <Link to="/$project/$environment/keys" params={place}>
                Keys
              </Link>
              <Link to="/$project/$environment/settings" params={place}>
                Settings
              </Link>
              {session.data?.mayGrant && (
                <Link to="/$project/$environment/people" params={place}>
                  People
                </Link>
              )}
              <Link to="/$project/$environment/start" params={place}>
                Start
              </Link>
            </nav>
          </Group>
        </Container>
      </header>
      <LiveBanner />
      <RightsNote />
      <Container size="lg" component="main" id="page" ref={page} tabIndex={-1} pt="lg" pb={120} style={{ outline: "none" }}>
        <Outlet />
      </Container>
      <Shortcuts opened={helpOpen} onClose={() => setHelpOpen(false)} />
    </>
  );
}

/** Switching the environment stays on the same page: the same flag, the same group. */
function EnvironmentMenu() {
  const place = usePlace();
  const { project, environment } = useEnvironment();
  const { pathname } = useLocation();
  const navigate = useNavigate();
  const { data: list } = useQuery(projectsQuery);
  const others = list?.projects.filter(({ key, environments }) => key !== place.project && environments.length > 0) ?? [];
  const rest = pathname.split("/").slice(3).join("/");
  return (
    <Menu position="bottom-start" withinPortal>
      <Menu.Target>
        <Button
          variant={environment?.production ? "filled" : "default"}
          color="pink.9"
          size="compact-md"
          rightSection={<IconChevronDown size={16} aria-hidden />}
          aria-label={`Environment: ${environment?.name ?? place.environment}${environment?.production ? ", production" : ""}`}
        >
          {environment?.name ?? place.environment}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Environment</Menu.Label>
        {project?.environments.map((other) => (
          <Menu.Item
            key={other.key}
            leftSection={other.key === place.environment ? <IconCheck size={16} aria-hidden /> : <Box w={16} />}
            rightSection={other.production ? <Text size="xs">PRODUCTION</Text> : undefined}
            onClick={() => void navigate({ href: `/${place.project}/${other.key}/${rest}` })}
          >
            {other.name}
          </Menu.Item>
        ))}
        <Menu.Item
          leftSection={<IconSettings size={16} aria-hidden />}
          onClick={() => void navigate({ to: "/$project/$environment/environments", params: place })}
        >
          Environments and projects
        </Menu.Item>
        {others.length > 0 && <Menu.Label>Other projects</Menu.Label>}
        {others.map(({ key, name, environments }) => (
          <Menu.Item
            key={key}
            leftSection={<Box w={16} />}
            onClick={() => void navigate({ href: `/${key}/${environments[0]?.key ?? ""}/flags` })}
          >
            {name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function Connected() {
  const place = usePlace();
  const instances = useQuery(instancesQuery(place));
  const count = instances.data?.counts.connected;
  if (count === undefined) return null;
  return (
    <AnchorLink to="/$project/$environment/fleet" params={place} size="sm" c="dimmed">
      <Group gap={5} wrap="nowrap">
        <IconBroadcast size={18} aria-hidden />
        <span>
          {count} <span className="sb-wide">connected</span>
          <VisuallyHidden> {count === 1 ? "program" : "programs"}</VisuallyHidden>
        </span>
      </Group>
    </AnchorLink>
  );
}

function SchemeMenu() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const schemes = [
    { value: "light", label: "Light", icon: IconSun },
    { value: "dark", label: "Dark", icon: IconMoon },
    { value: "auto", label: "As the system", icon: IconDeviceDesktop },
  ] as const;
  const Current = schemes.find(({ value }) => value === colorScheme)?.icon ?? IconDeviceDesktop;
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label="Theme">
          <Current size={20} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {schemes.map(({ value, label, icon: Icon }) => (
          <Menu.Item
            key={value}
            leftSection={<Icon size={16} aria-hidden />}
            rightSection={value === colorScheme ? <IconCheck size={16} aria-label="chosen" /> : undefined}
            onClick={() => setColorScheme(value)}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function AccountMenu({ onHelp }: { onHelp: () => void }) {
  const place = usePlace();
  const navigate = useNavigate();
  const { data: session } = useQuery(sessionQuery);
  const client = useQueryClient();
  async function signOut() {
    try {
      await call("DELETE", "/api/v1/session");
      client.clear();
      location.assign("/sign-in");
    } catch (error) {
      sayProblem("You are still signed in", error);
    }
  }
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`Account ${session?.user.name ?? ""}`}>
          <IconUser size={20} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{session?.user.name}</Menu.Label>
        <Menu.Item
          leftSection={<IconUser size={16} aria-hidden />}
          onClick={() => void navigate({ to: "/$project/$environment/account", params: place })}
        >
          Your account
        </Menu.Item>
        <Menu.Item leftSection={<IconKeyboard size={16} aria-hidden />} onClick={onHelp}>
          Keyboard shortcuts
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => void signOut()}>
          Sign out
        </Menu.Item>
        <Menu.Divider />
        <Menu.Label>Signalbox {session?.version}</Menu.Label>
      </Menu.Dropdown>
    </Menu>
  );
}

function LiveBanner() {
  const { connected } = useLive();
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (connected) return setLate(false);
    const timer = setTimeout(() => setLate(true), QUIET_MS);
    return () => clearTimeout(timer);
  }, [connected]);
  if (!late) return null;
  return (
    <Container size="lg" pt="sm">
      <Alert role="status" color="orange" variant="outline" title="Not connected to the server">
        What you see may be out of date. Connected programs keep their last answers. This page catches up by itself.
      </Alert>
    </Container>
  );
}

const SHORTCUTS: readonly [string, string][] = [
  ["/", "Search the flags"],
  ["n", "New flag, in the list of flags"],
  ["u", "Undo the last change"],
  ["g f", "Go to the flags"],
  ["g g", "Go to the groups"],
  ["g l", "Go to the fleet"],
  ["g h", "Go to the history"],
  ["g k", "Go to keys and tokens"],
  ["g s", "Go to the settings"],
  ["?", "Show this sheet"],
];

function Shortcuts({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const [on, setOn] = useState(shortcutsOn);
  return (
    <Modal opened={opened} onClose={onClose} title="Keyboard shortcuts">
      <Stack>
        <Switch
          label="Single keys act as shortcuts"
          checked={on}
          onChange={(event) => {
            setShortcuts(event.currentTarget.checked);
            setOn(event.currentTarget.checked);
          }}
        />
        {SHORTCUTS.map(([keys, does]) => (
          <Group key={keys} justify="space-between">
            <Text size="sm">{does}</Text>
            <Kbd>{keys}</Kbd>
          </Group>
        ))}
      </Stack>
    </Modal>
  );
}
