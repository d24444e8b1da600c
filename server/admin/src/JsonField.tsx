import { Textarea } from "@mantine/core";
import { useState } from "react";
import { same } from "./flags/draft.ts";
import { useRound, useTypedProblem } from "./problems.tsx";

interface JsonFieldProps {
  readonly label: string;
  readonly description?: string;
  readonly hideLabel?: boolean;
  readonly value: unknown;
  readonly maxRows?: number;
  /** What is wrong with a value, as a sentence. */
  readonly check?: (value: unknown) => string | undefined;
  readonly error?: string | undefined;
  /** Said in place of where the JSON ends wrong. */
  readonly notJson?: string;
  /** Called with each text that is JSON and passes the check. */
  readonly onChange: (value: unknown) => void;
}

/** A JSON value as text. While the text cannot be taken the value stays what it was, the field says why, and the page cannot be saved. */
export function JsonField({ label, description, hideLabel = false, value, maxRows = 24, check, error, notJson, onChange }: JsonFieldProps) {
  // What is typed holds for the value that it was typed over, or that it stands for: another value is shown as it is.
  const [typed, setTyped] = useState<{ text: string; over: unknown; round: number }>();
  const round = useRound();
  const mine = typed !== undefined && typed.round === round && same(typed.over, value) ? typed.text : undefined;
  const problem = mine === undefined ? undefined : jsonProblem(mine, check, notJson);
  useTypedProblem(problem === undefined ? undefined : `${label}: ${problem}`);
  return (
    <Textarea
      {...(hideLabel ? { "aria-label": label } : { label })}
      {...(description === undefined ? {} : { description })}
      size="xs"
      autosize
      minRows={1}
      maxRows={maxRows}
      spellCheck={false}
      autoCapitalize="none"
      classNames={{ input: "sb-json" }}
      value={mine ?? JSON.stringify(value, null, 2) ?? ""}
      error={problem ?? error}
      onChange={(event) => {
        const text = event.currentTarget.value;
        if (jsonProblem(text, check, notJson) !== undefined) return setTyped({ text, over: value, round });
        const next: unknown = JSON.parse(text);
        setTyped({ text, over: next, round });
        onChange(next);
      }}
    />
  );
}

function jsonProblem(text: string, check: JsonFieldProps["check"], notJson: string | undefined): string | undefined {
  try {
    return check?.(JSON.parse(text));
  } catch (error) {
    if (notJson !== undefined) return notJson;
    return text.trim() === "" ? "Enter JSON." : `Not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}
