import { Autocomplete, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";

interface Unit {
  readonly by?: string | undefined;
  readonly salt?: string | undefined;
}

interface UnitFieldsProps<T extends Unit> {
  readonly of: T;
  /** As it is saved, to say what a change of it does; undefined for what is new. */
  readonly saved: Unit | undefined;
  readonly label: string;
  /** "is inside", "gets which variant" */
  readonly what: string;
  /** What it means to people that the draw is another one. */
  readonly consequence: string;
  readonly onChange: (next: T) => void;
}

const UNITS = ["key", "account.key", "session", "device"];

/** Who counts as one, and with what the draw is mixed. */
export function UnitFields<T extends Unit>({ of, saved, label, what, consequence, onChange }: UnitFieldsProps<T>) {
  const isRedrawn = saved !== undefined && ((saved.by ?? "key") !== (of.by ?? "key") || saved.salt !== of.salt);
  function put(field: keyof Unit, value: string) {
    const { [field]: _, ...rest } = of;
    onChange((value === "" ? rest : { ...rest, [field]: value }) as T);
  }
  return (
    <Stack gap={6}>
      <Group gap="sm" align="flex-start">
        <Autocomplete
          size="xs"
          flex="1 1 150px"
          maw={240}
          label="Counts by"
          description="One draw for each of these: with account.key a whole account gets the same."
          aria-label={`${label}: counts by`}
          data={UNITS}
          placeholder="key"
          maxLength={100}
          value={of.by ?? ""}
          onChange={(value) => put("by", value)}
        />
        <Stack gap={4} flex="1 1 200px" maw={320}>
          <TextInput
            size="xs"
            label="Salt"
            description={`A word that is mixed into the draw of who ${what}. Flags and rules with the same salt pick the same people.`}
            aria-label={`${label}: salt`}
            placeholder="the flag’s own"
            maxLength={100}
            value={of.salt ?? ""}
            onChange={(event) => put("salt", event.currentTarget.value)}
          />
          <Button
            size="compact-xs"
            variant="subtle"
            w="fit-content"
            aria-label={`${label}: draw anew`}
            leftSection={<IconRefresh size={14} aria-hidden />}
            onClick={() => put("salt", newSalt())}
          >
            Draw anew
          </Button>
        </Stack>
      </Group>
      {isRedrawn && (
        <Text size="xs" role="status" c="var(--mantine-color-error)">
          {consequence}
        </Text>
      )}
    </Stack>
  );
}

function newSalt(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(5));
  return `s-${Array.from(bytes, (byte) => byte.toString(36).padStart(2, "0")).join("")}`;
}
