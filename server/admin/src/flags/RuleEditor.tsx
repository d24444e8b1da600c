import { Box, Button, Group, NumberInput, Stack, Text, TextInput } from "@mantine/core";
import { IconBraces } from "@tabler/icons-react";
import { useState } from "react";
import type { Configuration, Group as GroupShape, Rule } from "../../../src/api-types.ts";
import { ConditionBuilder } from "../conditions/ConditionBuilder.tsx";
import { emptyLeaf } from "../conditions/edit.ts";
import { JsonField } from "../JsonField.tsx";
import { IssueText, useIssues } from "../problems.tsx";
import { RolloutOptions } from "./RolloutOptions.tsx";
import { asRule, isRuleDrawn, ruleProblem } from "./read-rule.ts";
import { isDenial, withRollout } from "./rules.ts";
import { ServeEditor } from "./ServeEditor.tsx";
import { SplitEditor } from "./SplitEditor.tsx";

export interface RuleEditorProps {
  readonly rule: Rule;
  readonly saved: Rule | undefined;
  readonly label: string;
  /** Where the rule is in what is saved. */
  readonly path: string;
  readonly configuration: Configuration;
  readonly groups: readonly GroupShape[];
  readonly onChange: (rule: Rule) => void;
}

/** A rule in fields, or as JSON: by choice, and always when there are not fields for all of it. */
export function RuleEditor(props: RuleEditorProps) {
  const { rule, label, onChange } = props;
  const [chosen, setChosen] = useState(false);
  const isDrawn = isRuleDrawn(rule);
  const issues = useIssues(props.path);
  return (
    <Stack gap="sm" pt="sm">
      {isDrawn && !chosen ? (
        <Fields {...props} />
      ) : (
        <JsonField
          label={`${label}, as JSON`}
          {...(isDrawn ? {} : { description: "There are no fields for all of this rule. It stays as it is unless you edit it here." })}
          value={rule}
          check={ruleProblem}
          onChange={(value) => onChange({ ...(rule.id === undefined ? {} : { id: rule.id }), ...asRule(value) })}
        />
      )}
      {(!isDrawn || chosen) && <IssueText issues={issues} />}
      {isDrawn && (
        <Button
          size="compact-xs"
          variant="subtle"
          color="gray"
          w="fit-content"
          aria-pressed={chosen}
          leftSection={<IconBraces size={14} aria-hidden />}
          onClick={() => setChosen(!chosen)}
        >
          {chosen ? "Back to the fields" : "Advanced: the rule as JSON"}
        </Button>
      )}
    </Stack>
  );
}

function Fields({ rule, saved, label, path, configuration, groups, onChange }: RuleEditorProps) {
  const rollout = rule.rollout ?? { percentage: 100 };
  const rolloutIssues = useIssues(`${path}.rollout`);
  const serveIssues = useIssues(`${path}.serve`);
  function everyone() {
    const { when: _, ...rest } = rule;
    onChange(rest);
  }
  return (
    <>
      {rule.when ? (
        <ConditionBuilder
          condition={rule.when}
          groups={groups}
          label={`${label} applies when`}
          path={`${path}.when`}
          onEveryone={everyone}
          onChange={(when) => onChange({ ...rule, when })}
        />
      ) : (
        <Group gap="xs">
          <Text size="sm">For everyone.</Text>
          <Button size="compact-xs" variant="subtle" onClick={() => onChange({ ...rule, when: emptyLeaf() })}>
            Add a condition
          </Button>
        </Group>
      )}
      <Group gap="md" align="flex-end">
        <TextInput
          size="xs"
          label="Name of the rule (optional)"
          flex="1 1 160px"
          maw={260}
          maxLength={100}
          value={rule.name ?? ""}
          onChange={(event) => {
            const { name: _, ...rest } = rule;
            onChange(event.currentTarget.value === "" ? rest : { ...rest, name: event.currentTarget.value });
          }}
        />
        <NumberInput
          size="xs"
          label={rollout.over ? "Percentage before the first row" : "Percentage of them"}
          w={rollout.over ? 220 : 150}
          min={0}
          max={100}
          decimalScale={3}
          suffix=" %"
          clampBehavior="strict"
          value={rollout.percentage}
          onChange={(value) => typeof value === "number" && onChange(withRollout(rule, { ...rollout, percentage: value }))}
        />
        <ServeEditor serve={rule.serve} label={label} configuration={configuration} onChange={(serve) => onChange({ ...rule, serve })} />
      </Group>
      <IssueText issues={serveIssues} />
      {rule.serve.kind === "split" && (
        <SplitEditor
          split={rule.serve}
          saved={saved?.serve.kind === "split" ? saved.serve : undefined}
          label={label}
          configuration={configuration}
          onChange={(serve) => onChange({ ...rule, serve })}
        />
      )}
      <Box>
        <RolloutOptions
          rollout={rollout}
          saved={saved && (saved.rollout ?? { percentage: 100 })}
          label={label}
          withSlice
          onChange={(next) => onChange(withRollout(rule, next))}
        />
        <IssueText issues={rolloutIssues} />
      </Box>
      {isDenial(rule, configuration) && (
        <Text size="xs" c="dimmed">
          A denial applies unless its conditions are certainly false: also to people of whom the attribute is not known.
        </Text>
      )}
    </>
  );
}
