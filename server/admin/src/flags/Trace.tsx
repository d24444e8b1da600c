import { Badge, Group, Stack, Text, Title } from "@mantine/core";
import { IconCheck, IconQuestionMark, IconX } from "@tabler/icons-react";
import type { ConditionTrace, Explanation } from "../../../src/api-types.ts";
import "./trace.css";
import { percent } from "./changes.ts";
import { held, needWords, rolloutWords, splitWords, standingOf, verdictWord } from "./trace-words.ts";

type RuleTrace = Explanation["rules"][number];

/** What led to an answer: required flags, and the rules in their order with every condition, its value and its verdict. */
export function Trace({ explanation }: { explanation: Explanation }) {
  const { needs, rules } = explanation;
  return (
    <Stack gap="xs" className="sb-trace">
      {needs.length > 0 && (
        <>
          <Title order={3} size="h6">
            Needs
          </Title>
          <ul>
            {needs.map((need) => (
              <li key={`${need.kind}${need.flag}`} className="sb-trace-condition">
                <Verdict verdict={need.met ? "true" : "false"} />
                <span>
                  {needWords(need)} <b>{need.met ? "Met." : "Not met."}</b>
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
      {rules.length > 0 && (
        <>
          <Title order={3} size="h6">
            Rules
          </Title>
          <Stack component="ol" gap={6}>
            {rules.map((rule, index) => (
              <Rule key={rule.id} rule={rule} place={index + 1} />
            ))}
          </Stack>
        </>
      )}
    </Stack>
  );
}

function Rule({ rule, place }: { rule: RuleTrace; place: number }) {
  const standing = standingOf(rule);
  return (
    <li className="sb-trace-rule" data-standing={standing}>
      <Group gap={6} justify="space-between" wrap="nowrap" align="flex-start">
        <Text size="sm" fw={600} component="span">
          {place}. {rule.title}
        </Text>
        <Badge size="sm" variant="outline" className="sb-badge" tt="none" style={{ flexShrink: 0 }}>
          {standing}
        </Badge>
      </Group>
      {rule.when && <Condition condition={rule.when} />}
      {rule.rollout && <Rollout rollout={rule.rollout} />}
      {rule.split && (
        <Text size="xs" c="dimmed" mt={4}>
          {splitWords(rule.split)}
        </Text>
      )}
    </li>
  );
}

function Condition({ condition }: { condition: ConditionTrace }) {
  const { words, verdict, of } = condition;
  const value = held(condition);
  return (
    <div className="sb-trace-condition">
      <Verdict verdict={verdict} />
      <span>
        {words}: <b>{verdictWord(verdict)}</b>
        {value !== undefined && <span className="sb-trace-held"> ({value})</span>}
      </span>
      {of && of.length > 0 && (
        <div className="sb-trace-nested">
          {of.map((part, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a condition have no other name and keep their order.
            <Condition key={index} condition={part} />
          ))}
        </div>
      )}
    </div>
  );
}

function Rollout({ rollout }: { rollout: NonNullable<RuleTrace["rollout"]> }) {
  const { verdict, from, to = from, bucket } = rollout;
  return (
    <div className="sb-trace-condition">
      <Verdict verdict={verdict} />
      <div>
        {rolloutWords(rollout)}: <b>{verdictWord(verdict)}</b>
        <div className="sb-slice" aria-hidden>
          <span
            className="sb-slice-inside"
            style={{ left: percent(from / 1_000).replace(" ", ""), width: percent((to - from) / 1_000).replace(" ", "") }}
          />
          {bucket !== undefined && <span className="sb-slice-at" style={{ left: percent(bucket / 1_000).replace(" ", "") }} />}
        </div>
      </div>
    </div>
  );
}

const ICONS = { true: IconCheck, false: IconX, unknown: IconQuestionMark } as const;

/** The word stands beside it. */
function Verdict({ verdict }: { verdict: keyof typeof ICONS }) {
  const Icon = ICONS[verdict];
  return <Icon className="sb-verdict" data-verdict={verdict} size={16} stroke={2.6} aria-hidden />;
}
