import { ActionIcon, Alert, Button, Group, MultiSelect, Paper, Select, Stack, Switch, Text, Title } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { FlagSummary } from "../../../src/api-types.ts";
import { ApiError } from "../api.ts";
import { IssueText, useIssues } from "../problems.tsx";
import { flagQuery, flagsQuery, type Place } from "../queries.ts";
import type { Edits, Fields } from "./draft.ts";
import { replaceRequirement } from "./requirements.ts";

interface NeedsCardProps {
  readonly place: Place;
  readonly flagKey: string;
  readonly fields: Fields;
  readonly onEdit: (edits: Edits) => void;
}

/** What else must be on: required flags, and the parent. */
export function NeedsCard({ place, flagKey, fields, onEdit }: NeedsCardProps) {
  const list = useQuery(flagsQuery(place));
  const client = useQueryClient();
  const [adding, setAdding] = useState(false);
  const issues = useIssues("requires");
  const parentIssues = useIssues("parent");
  const flags = list.data?.flags ?? [];
  const required = new Set(fields.requires.map(({ flag }) => flag));
  const choices = flags.filter(({ key, archived }) => key !== flagKey && !required.has(key) && !archived);
  const colonParent = flagKey.includes(":") ? flagKey.slice(0, flagKey.lastIndexOf(":")) : undefined;

  const parent = fields.parent ?? colonParent;
  // One that is not in the list can be the old key of a renamed flag, which goes on answering.
  const isUnlisted = list.data !== undefined && parent !== undefined && !flags.some(({ key }) => key === parent);
  const found = useQuery({ ...flagQuery(place, parent ?? ""), enabled: isUnlisted });
  const isParentMissing = isUnlisted && found.error instanceof ApiError && found.error.status === 404;

  /** With its on variant; others are chosen in the row that appears. */
  async function require({ key, type }: FlagSummary) {
    const configuration = type === "boolean" ? undefined : (await client.query(flagQuery(place, key))).configuration;
    onEdit({ requires: [...fields.requires, { flag: key, variants: [configuration?.on ?? "on"] }] });
  }

  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="needs">
      <Stack gap="sm">
        <Title order={2} size="h4" id="needs">
          Requires
        </Title>
        {fields.requires.length === 0 && !adding && (
          <Text size="sm" c="dimmed">
            Nothing: this flag decides by itself. A required flag that is off turns this one off too.
          </Text>
        )}
        {fields.requires.map((requirement) => (
          <Group key={requirement.flag} gap="xs" align="flex-end" wrap="nowrap">
            <Requirement
              place={place}
              flagKey={requirement.flag}
              variants={requirement.variants}
              onChange={(variants) => onEdit({ requires: replaceRequirement(fields.requires, requirement.flag, variants) })}
            />
            <ActionIcon
              variant="subtle"
              color="gray"
              size="lg"
              aria-label={`No longer require ${requirement.flag}`}
              onClick={() => onEdit({ requires: replaceRequirement(fields.requires, requirement.flag, []) })}
            >
              <IconX size={16} aria-hidden />
            </ActionIcon>
          </Group>
        ))}
        <IssueText issues={issues} />
        {adding ? (
          <Select
            label="Flag that must be on"
            searchable
            autoFocus
            limit={50}
            data={choices.map(({ key }) => key)}
            value={null}
            onChange={(key) => {
              setAdding(false);
              const flag = flags.find((other) => other.key === key);
              if (flag) void require(flag);
            }}
            onBlur={() => setAdding(false)}
          />
        ) : (
          <Button size="xs" variant="default" w="fit-content" onClick={() => setAdding(true)} disabled={choices.length === 0}>
            Add required flag
          </Button>
        )}
        <Group gap="lg" align="flex-end">
          <Select
            label="Parent"
            description={
              fields.parent === null && colonParent !== undefined && !isParentMissing
                ? `By its key: ${colonParent}. While that is off, this flag is off.`
                : "While the parent is off, this flag is off."
            }
            error={parentIssues.join(" ")}
            placeholder="None"
            searchable
            clearable
            clearButtonProps={{ "aria-label": "No parent" }}
            limit={50}
            flex="1 1 220px"
            maw={340}
            data={[
              ...(fields.parent !== null && isUnlisted ? [fields.parent] : []),
              ...flags.filter(({ key }) => key !== flagKey).map(({ key }) => key),
            ]}
            value={fields.parent}
            onChange={(parent) => onEdit({ parent })}
          />
          {(fields.parent !== null || colonParent !== undefined) && (
            <Switch
              label="On also while its parent is off"
              mb={8}
              checked={fields.detached}
              onChange={(event) => onEdit({ detached: event.currentTarget.checked })}
            />
          )}
        </Group>
        {isParentMissing && (
          <Alert color="orange" variant="outline">
            {fields.parent === null ? `Its key names the parent ${parent}` : `Its parent is set to ${parent}`}, and there is no such flag in{" "}
            {place.environment}.{" "}
            {fields.mode === "inherit"
              ? "“As parent” therefore gives it to nobody."
              : "So nothing limits it now; once somebody makes that flag, it does."}
          </Alert>
        )}
        {fields.mode === "inherit" && fields.detached && parent !== undefined && (
          <Text size="sm" c="dimmed">
            “As parent” follows {parent} all the same; that it has opted out counts when another mode is chosen.
          </Text>
        )}
      </Stack>
    </Paper>
  );
}

interface RequirementProps {
  readonly place: Place;
  readonly flagKey: string;
  readonly variants: readonly string[];
  readonly onChange: (variants: string[]) => void;
}

function Requirement({ place, flagKey, variants, onChange }: RequirementProps) {
  const flag = useQuery(flagQuery(place, flagKey));
  const configuration = flag.data?.configuration;
  if (!configuration || flag.data?.type === "boolean") {
    return (
      <Text size="sm" flex={1}>
        <b>{flagKey}</b> is {variants.map((variant) => (variant === "on" ? "On" : variant)).join(" or ")}
        {flag.isError && " (it does not exist here: the requirement is not met)"}
      </Text>
    );
  }
  return (
    <MultiSelect
      flex={1}
      label={`${flagKey} serves one of`}
      // One that the flag does not have (any more) stays named, and is not met.
      data={[...new Set([...Object.keys(configuration.values).filter((variant) => variant !== configuration.off), ...variants])]}
      error={
        variants.some((variant) => !(variant in configuration.values)) &&
        `It has no variant ${variants.filter((variant) => !(variant in configuration.values)).join(", ")}.`
      }
      value={[...variants]}
      onChange={(next) => next.length > 0 && onChange(next)}
    />
  );
}
