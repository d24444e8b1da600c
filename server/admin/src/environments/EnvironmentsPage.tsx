import { ActionIcon, Badge, Box, Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconGripVertical, IconPencil, IconPlus, IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type DragEvent, useState } from "react";
import type { Environment, Project } from "../../../src/api-types.ts";
import { projectsQuery, sessionQuery } from "../queries.ts";
import { Loading } from "../shell/Failure.tsx";
import { AnchorLink } from "../shell/links.tsx";
import { useEnvironment, usePlace, useTitle } from "../shell/place.ts";
import { useMayInProject } from "../shell/rights.tsx";
import { say, sayProblem } from "../undo.tsx";
import { useEnvironmentActions } from "./actions.ts";
import { ColorDot } from "./ColorDot.tsx";
import { DeleteDialog, EditEnvironmentDialog, NewEnvironmentDialog, ProjectDialog } from "./dialogs.tsx";
import { moved } from "./moved.ts";

type Dialog =
  | { readonly kind: "new" | "new-project" | "edit-project" | "delete-project" }
  | { readonly kind: "edit" | "delete"; readonly environment: Environment };

/** The environments of a project in their order, and the project itself. */
export function EnvironmentsPage() {
  const { project } = useEnvironment();
  useTitle("Environments", project?.name);
  return project ? <Page project={project} /> : <Loading what="the environments" />;
}

function Page({ project }: { project: Project }) {
  const place = usePlace();
  const navigate = useNavigate();
  const mayAdmin = useMayInProject()("admin");
  const { data: session } = useQuery(sessionQuery);
  const { data: list } = useQuery(projectsQuery);
  const actions = useEnvironmentActions(project.key);
  const [dialog, setDialog] = useState<Dialog>();
  /** As it was dropped, until the server has it. */
  const [order, setOrder] = useState<readonly Environment[]>();
  const [dragged, setDragged] = useState<number>();
  const environments = order ?? project.environments;
  const close = () => setDialog(undefined);
  const mayMakeProjects = session?.may.includes("admin") ?? false;

  async function move(from: number, to: number) {
    const next = moved(environments, from, to);
    if (next === environments) return;
    setOrder(next);
    try {
      await actions.order(next.map(({ key }) => key));
      say("order", `${next[to]?.name ?? ""} is now number ${to + 1} of ${next.length}`);
    } catch (error) {
      sayProblem("The order was not saved", error);
    }
    setOrder(undefined);
  }

  return (
    <Stack gap="lg">
      <Group justify="space-between" align="flex-start">
        <Box miw={0}>
          <Title order={1} size="h2">
            Environments of {project.name}
          </Title>
          {project.description !== "" && <Text c="dimmed">{project.description}</Text>}
        </Box>
        {mayAdmin && (
          <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={() => setDialog({ kind: "new" })}>
            New environment
          </Button>
        )}
      </Group>
      <Paper className="sb-card" component="ol" m={0} p={0} aria-label="Environments" style={{ listStyle: "none" }}>
        {environments.map((environment, index) => (
          <Row
            key={environment.key}
            project={project.key}
            environment={environment}
            index={index}
            count={environments.length}
            mayAdmin={mayAdmin}
            isDragged={dragged === index}
            onMove={(to) => void move(index, to)}
            onDrag={setDragged}
            onDrop={() => {
              if (dragged !== undefined) void move(dragged, index);
              setDragged(undefined);
            }}
            onDialog={setDialog}
          />
        ))}
      </Paper>
      <Paper className="sb-card" p="md" component="section" aria-labelledby="project">
        <Group justify="space-between" gap="sm">
          <Box flex="1 1 240px">
            <Title order={2} size="h4" id="project">
              Project {project.name}
            </Title>
            <Text size="sm" c="dimmed">
              Key {project.key} · {project.flags === 1 ? "1 flag" : `${project.flags} flags`}
              {list && list.projects.length > 1 && ` · one of ${list.projects.length} projects`}
            </Text>
          </Box>
          <Group gap="xs">
            {mayAdmin && (
              <Button size="xs" variant="default" onClick={() => setDialog({ kind: "edit-project" })}>
                Edit project
              </Button>
            )}
            {mayMakeProjects && (
              <Button size="xs" variant="default" onClick={() => setDialog({ kind: "new-project" })}>
                New project
              </Button>
            )}
            {mayAdmin && list && list.projects.length > 1 && (
              <Button size="xs" variant="default" onClick={() => setDialog({ kind: "delete-project" })}>
                Delete project
              </Button>
            )}
          </Group>
        </Group>
      </Paper>
      {dialog?.kind === "new" && <NewEnvironmentDialog project={project} create={actions.create} onClose={close} />}
      {dialog?.kind === "edit" && (
        <EditEnvironmentDialog environment={dialog.environment} edit={(body) => actions.edit(dialog.environment, body)} onClose={close} />
      )}
      {dialog?.kind === "delete" && (
        <DeleteDialog
          what={`the environment ${dialog.environment.name}`}
          entryKey={dialog.environment.key}
          onClose={close}
          remove={async (reason) => {
            const { key } = dialog.environment;
            // Away first: a page of an environment that is gone has nothing to show.
            const other = project.environments.find((one) => one.key !== key);
            await actions.remove(dialog.environment, reason);
            if (key === place.environment && other) {
              await navigate({ to: "/$project/$environment/environments", params: { project: project.key, environment: other.key } });
            }
            say("deleted", `Deleted ${dialog.environment.name}`);
          }}
        >
          <Text>
            Its SDK keys are refused from now on and its streams end. Programs keep the answers that they have until they are started again.
            What is configured in it cannot be brought back.
          </Text>
        </DeleteDialog>
      )}
      {dialog?.kind === "edit-project" && (
        <ProjectDialog project={project} save={(fields) => actions.editProject(project, fields)} onClose={close} />
      )}
      {dialog?.kind === "new-project" && (
        <ProjectDialog
          onClose={close}
          save={async (fields) => {
            const made = await actions.createProject(fields);
            const first = made.environments[0];
            if (first) await navigate({ to: "/$project/$environment/flags", params: { project: made.key, environment: first.key } });
          }}
        />
      )}
      {dialog?.kind === "delete-project" && (
        <DeleteDialog
          what={`the project ${project.name}`}
          entryKey={project.key}
          onClose={close}
          remove={async (reason) => {
            await actions.removeProject(project, reason);
            location.assign("/");
          }}
        >
          <Text>
            All {project.environments.length} environments and {project.flags === 1 ? "1 flag" : `${project.flags} flags`} go with it.
            Programs keep the answers that they have until they are started again.
          </Text>
        </DeleteDialog>
      )}
    </Stack>
  );
}

interface RowProps {
  readonly project: string;
  readonly environment: Environment;
  readonly index: number;
  readonly count: number;
  readonly mayAdmin: boolean;
  readonly isDragged: boolean;
  readonly onMove: (to: number) => void;
  readonly onDrag: (index: number | undefined) => void;
  readonly onDrop: () => void;
  readonly onDialog: (dialog: Dialog) => void;
}

/** Moved by dragging its grip, or by the arrows, which the keyboard reaches too. */
function Row({ project, environment, index, count, mayAdmin, isDragged, onMove, onDrag, onDrop, onDialog }: RowProps) {
  const { key, name, production, color, revision, may } = environment;
  const mayEdit = may.includes("admin");
  const dragging = {
    draggable: mayAdmin,
    onDragStart: (event: DragEvent) => {
      event.dataTransfer.effectAllowed = "move";
      onDrag(index);
    },
    onDragEnd: () => onDrag(undefined),
  };
  return (
    <Box
      component="li"
      className="sb-row"
      px="md"
      py={10}
      style={isDragged ? { opacity: 0.5 } : undefined}
      onDragOver={(event: DragEvent) => event.preventDefault()}
      onDrop={(event: DragEvent) => {
        event.preventDefault();
        onDrop();
      }}
      {...dragging}
    >
      <Group justify="space-between" gap="xs">
        <Group gap={10} wrap="nowrap" miw={0} flex="1 1 220px">
          {mayAdmin && <IconGripVertical size={18} aria-hidden style={{ cursor: "grab", flexShrink: 0 }} />}
          <ColorDot color={color} />
          <Box miw={0}>
            <Group gap={8}>
              <AnchorLink to="/$project/$environment/flags" params={{ project, environment: key }} fw={600} c="inherit">
                {name}
              </AnchorLink>
              {production && (
                <Badge variant="filled" color="pink.9" radius="sm">
                  Production
                </Badge>
              )}
            </Group>
            <Text size="xs" c="dimmed">
              {key} · revision {revision}
            </Text>
          </Box>
        </Group>
        <Group gap={4} wrap="nowrap" ml="auto">
          {mayAdmin && (
            <>
              <ActionIcon
                variant="subtle"
                color="gray"
                size="lg"
                aria-label={`Move ${name} up`}
                disabled={index === 0}
                onClick={() => onMove(index - 1)}
              >
                <IconArrowUp size={18} aria-hidden />
              </ActionIcon>
              <ActionIcon
                variant="subtle"
                color="gray"
                size="lg"
                aria-label={`Move ${name} down`}
                disabled={index === count - 1}
                onClick={() => onMove(index + 1)}
              >
                <IconArrowDown size={18} aria-hidden />
              </ActionIcon>
            </>
          )}
          {mayEdit && (
            <>
              <ActionIcon
                variant="subtle"
                color="gray"
                size="lg"
                aria-label={`Edit ${name}`}
                onClick={() => onDialog({ kind: "edit", environment })}
              >
                <IconPencil size={18} aria-hidden />
              </ActionIcon>
              <ActionIcon
                variant="subtle"
                color="gray"
                size="lg"
                aria-label={`Delete ${name}`}
                disabled={count === 1}
                onClick={() => onDialog({ kind: "delete", environment })}
              >
                <IconTrash size={18} aria-hidden />
              </ActionIcon>
            </>
          )}
        </Group>
      </Group>
    </Box>
  );
}
