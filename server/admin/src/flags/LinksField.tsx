import { ActionIcon, Anchor, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import type { Flag } from "../../../src/api-types.ts";

type Links = Flag["links"];

const LINKS_MAX = 20;

/** Where more is told of a flag: a ticket, a design, a dashboard. */
export function LinksField({ links, onChange }: { links: Links; onChange: (links: Links) => void }) {
  const set = (index: number, change: Partial<Links[number]>) =>
    onChange(links.map((link, at) => (at === index ? { ...link, ...change } : link)));
  return (
    <Stack gap={6} role="group" aria-label="Links">
      <Text size="sm" fw={700}>
        Links
      </Text>
      {links.map((link, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a link is its place, and has no name of its own while it is typed
        <Group key={index} gap="xs" align="flex-start" wrap="wrap">
          <TextInput
            aria-label={`Title of link ${index + 1}`}
            placeholder="Ticket"
            flex="1 1 110px"
            maxLength={100}
            value={link.title}
            onChange={(event) => set(index, { title: event.currentTarget.value })}
          />
          <TextInput
            aria-label={`Address of link ${index + 1}`}
            placeholder="https://"
            flex="2 1 180px"
            maxLength={2000}
            value={link.url}
            onChange={(event) => set(index, { url: event.currentTarget.value.trim() })}
            error={isAddress(link.url) || link.url === "" ? undefined : "It begins with https:// or http://"}
          />
          <ActionIcon
            variant="subtle"
            color="gray"
            size="lg"
            aria-label={`Take link ${index + 1} away`}
            onClick={() => onChange(links.filter((_, at) => at !== index))}
          >
            <IconX size={16} aria-hidden />
          </ActionIcon>
        </Group>
      ))}
      <Group>
        <Button
          size="compact-sm"
          variant="default"
          leftSection={<IconPlus size={14} aria-hidden />}
          disabled={links.length >= LINKS_MAX}
          onClick={() => onChange([...links, { title: "", url: "" }])}
        >
          Link
        </Button>
      </Group>
    </Stack>
  );
}

/** The links that are saved, to follow. */
export function LinkList({ links }: { links: Links }) {
  if (links.length === 0) return null;
  return (
    <Group gap="sm">
      {links.map(({ title, url }) => (
        <Anchor key={`${title} ${url}`} href={url} target="_blank" rel="noopener noreferrer" size="sm">
          {title}
        </Anchor>
      ))}
    </Group>
  );
}

function isAddress(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}
