import { Button, Group, Paper, Stack, Switch, TagsInput, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { EnvironmentSettings } from "../../../src/api-types.ts";
import { sentenceOfError } from "../api.ts";
import { type Place, settingsQuery } from "../queries.ts";
import { useEnvironment } from "../shell/place.ts";
import { useSettingsActions } from "./actions.ts";

/** What may be told and kept of the contexts that programs evaluate for. */
export function ContextsCard({ place }: { place: Place }) {
  const { environment } = useEnvironment();
  const settings = useQuery(settingsQuery(place));
  const actions = useSettingsActions(place);
  const name = environment?.name ?? place.environment;
  return (
    <Paper className="sb-card" p="md" component="section" id="contexts" aria-labelledby="contexts-title">
      <Stack gap="md">
        <Title order={2} size="h4" id="contexts-title">
          Contexts in {name}
        </Title>
        {settings.isError && <Text size="sm">{sentenceOfError(settings.error)}</Text>}
        {settings.data && (
          <>
            <PrivateAttributes place={place} name={name} settings={settings.data} />
            <Switch
              label="Programs send some of the contexts that they evaluate for"
              description="A few of them, without private attributes, are kept for a short time, so that the effect of an edit is shown on real contexts instead of made-up ones."
              checked={settings.data.sampleContexts}
              onChange={(event) => {
                const on = event.currentTarget.checked;
                void actions.save(
                  settings.data,
                  { sampleContexts: on },
                  `Switched the sampling of contexts ${on ? "on" : "off"} in ${name}`,
                );
              }}
            />
          </>
        )}
      </Stack>
    </Paper>
  );
}

interface PrivateAttributesProps {
  readonly place: Place;
  readonly name: string;
  readonly settings: EnvironmentSettings;
}

function PrivateAttributes({ place, name, settings }: PrivateAttributesProps) {
  const actions = useSettingsActions(place);
  const [edited, setEdited] = useState<readonly string[]>();
  const [saving, setSaving] = useState(false);
  const value = [...(edited ?? settings.privateAttributes)];
  async function save() {
    setSaving(true);
    if (await actions.save(settings, { privateAttributes: value }, `Saved the private attributes of ${name}`)) setEdited(undefined);
    setSaving(false);
  }
  return (
    <Stack gap="xs">
      <TagsInput
        label="Private attributes"
        description="Conditions on them never leave the server: a page is told whether they hold, not what they say. Context keys and lists are private always."
        placeholder={value.length > 0 ? "" : "email, Enter, next attribute"}
        splitChars={[",", "\n"]}
        maxTags={50}
        isDuplicate={(tag, tags) => tags.includes(tag)}
        acceptValueOnBlur
        value={value}
        onChange={setEdited}
      />
      {edited && (
        <Group gap="xs">
          <Button size="xs" loading={saving} onClick={() => void save()}>
            Save the private attributes
          </Button>
          <Button size="xs" variant="default" onClick={() => setEdited(undefined)}>
            Cancel
          </Button>
        </Group>
      )}
    </Stack>
  );
}
