import { ActionIcon, Button, Group, MultiSelect, Paper, Select, Stack, Switch, Text, Title } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
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
  const [adding, setAdding] = useState(false);
  const flags = list.data?.flags ?? [];
  const required = new Set(fields.requires.map(({ flag }) => flag));
  const choices = flags.filter(({ key, archived }) => key !== flagKey && !required.has(key) && !archived);
  const colonParent = flagKey.includes(":") ? flagKey.slice(0, flagKey.lastIndexOf(":")) : undefined;

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
              // "on" is the on variant that every boolean flag has; of others it is chosen in the row that appears.
              if (flag) onEdit({ requires: [...fields.requires, { flag: flag.key, variants: ["on"] }] });
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
              fields.parent === null && colonParent !== undefined
                ? `By its key: ${colonParent}${flags.some(({ key }) => key === colonParent) ? "" : ", which does not exist"}.`
                : "While the parent is off, this flag is off."
            }
            placeholder="None"
            searchable
            clearable
            clearButtonProps={{ "aria-label": "No parent" }}
            limit={50}
            flex="1 1 220px"
            maw={340}
            data={flags.filter(({ key }) => key !== flagKey).map(({ key }) => key)}
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
      data={Object.keys(configuration.values).filter((variant) => variant !== configuration.off)}
      value={[...variants]}
      onChange={(next) => next.length > 0 && onChange(next)}
    />
  );
}
