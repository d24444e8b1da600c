import { Box, Textarea } from "@mantine/core";
import { JsonField } from "../JsonField.tsx";
import { type FlagType, isOfType } from "./variants.ts";

interface ValueFieldProps {
  readonly label: string;
  readonly type: FlagType;
  readonly value: unknown;
  readonly error?: string;
  readonly onChange: (value: unknown) => void;
}

/** The value of a variant by the flag's type. A number or JSON that cannot be read is said while it is typed. */
export function ValueField({ label, type, value, error = "", onChange }: ValueFieldProps) {
  return (
    <Box flex={1} miw={0}>
      {type === "string" && typeof value === "string" ? (
        <Textarea
          size="xs"
          label={label}
          autosize
          minRows={1}
          maxRows={12}
          value={value}
          error={error}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      ) : (
        <JsonField
          label={label}
          {...(type === "number" ? { notJson: "Enter a number, such as 12 or 0.5." } : {})}
          maxRows={16}
          value={value}
          check={(next) => (isOfType(next, type) ? undefined : `This flag serves a ${type}.`)}
          error={error}
          onChange={onChange}
        />
      )}
    </Box>
  );
}
