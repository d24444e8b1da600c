import { ActionIcon, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import type { Issue } from "../problems.tsx";
import { type NewVariant, newVariantProblem, oneMore } from "./new-variants.ts";
import { ValueField } from "./ValueField.tsx";
import type { FlagType } from "./variants.ts";

interface NewVariantsProps {
  readonly type: FlagType;
  readonly variants: readonly NewVariant[];
  readonly issues: readonly Issue[];
  readonly tried: boolean;
  readonly onChange: (variants: readonly NewVariant[]) => void;
}

/** The variants of a flag that is being made. */
export function NewVariants({ type, variants, issues, tried, onChange }: NewVariantsProps) {
  const put = (index: number, change: Partial<NewVariant>) =>
    onChange(variants.map((variant, at) => (at === index ? { ...variant, ...change } : variant)));
  return (
    <Stack gap={8} role="group" aria-label="Variants">
      <Text size="sm" fw={500}>
        Variants
      </Text>
      {variants.map((variant, index) => {
        const label = index === 0 ? "Off variant" : index === 1 ? "On variant" : `Variant ${index + 1}`;
        const problem = newVariantProblem(variants, index);
        return (
          <Group key={variant.id} gap={8} align="flex-start" wrap="nowrap">
            <TextInput
              size="xs"
              flex={1}
              miw={0}
              label={label}
              aria-label={`${label}, name`}
              autoCapitalize="none"
              spellCheck={false}
              value={variant.name}
              error={(tried || variant.name !== "") && problem}
              onChange={(event) => put(index, { name: event.currentTarget.value.trim() })}
            />
            <ValueField
              label="Value"
              type={type}
              value={variant.value}
              error={issues.find(({ path }) => path === `values.${variant.name}`)?.message ?? ""}
              onChange={(value) => put(index, { value })}
            />
            <ActionIcon
              variant="subtle"
              color="gray"
              mt={24}
              disabled={index < 2}
              aria-label={`Remove ${label}`}
              onClick={() => onChange(variants.filter((_, at) => at !== index))}
            >
              <IconX size={16} aria-hidden />
            </ActionIcon>
          </Group>
        );
      })}
      <Button
        size="compact-xs"
        variant="subtle"
        w="fit-content"
        leftSection={<IconPlus size={14} aria-hidden />}
        onClick={() => onChange(oneMore(variants, type))}
      >
        Add variant
      </Button>
      <Text size="xs" c="dimmed">
        The off variant is the safe value: whom no rule takes gets it, and everybody after a kill.
      </Text>
    </Stack>
  );
}
