export { isSampled } from "./acks.ts";
export { type AddressRange, isInRange, parseAddress, parseRange } from "./addresses.ts";
export { readDetail, sendResult } from "./answer.ts";
export { attributeReader } from "./attribute.ts";
export { BUCKETS, unitOf } from "./bucket.ts";
export {
  browserObstacles,
  CONDITION_DEPTH_MAX,
  checkCondition,
  checkFlag,
  dependents,
  type FlagBody,
  namesPeople,
  type Problem,
  SCHEDULE_POINTS_MAX,
} from "./check.ts";
export {
  type Change,
  type Client,
  createClient,
  type Events,
  type Explanation,
  type Flags,
  type Logger,
  type Ports,
  SILENT,
  type Status,
} from "./client.ts";
export { type Call, CONDITION_DEPTH_READ_MAX, type RegexEngine } from "./conditions.ts";
export { SAMPLED_ATTRIBUTES_MAX, SAMPLED_MAX, SAMPLED_VALUE_LENGTH_MAX } from "./context-sample.ts";
export { instantOf, msOfDay, parseDate, type WrittenDate } from "./dates.ts";
export { digestOf, xor64, xorAll, ZERO64 } from "./digest.ts";
export { ARRIVAL_MS_MAX, askEarlyAccess, type EarlyAccessGroup, type Membership, readGroups, readMembership } from "./early-access.ts";
export { type Difference, type EffectOf, effect, sampleContexts } from "./effect.ts";
export { type EvaluateOptions, evaluate, type Override, typeMatches, unreadableBecause } from "./evaluate.ts";
export {
  type ConditionTrace,
  explain,
  type NeedTrace,
  type RolloutTrace,
  type RuleTrace,
  type SplitTrace,
  type Trace,
  type VerdictWord,
} from "./explain.ts";
export { contextHash, createFacts, type FactsHolder, type FactsResult, type GivenAnswers, unitTag } from "./facts.ts";
export * from "./model.ts";
export { parseFrame } from "./parse.ts";
export { colonParent } from "./plan.ts";
export * from "./position.ts";
export * from "./protocol.ts";
export { createRegexEngine, PATTERN_LENGTH_MAX, patternsLimit, type Re2 } from "./regex.ts";
export { sipHash } from "./siphash.ts";
export { EVENT_LENGTH_MAX } from "./sse.ts";
export {
  type Applied,
  applyChange,
  applySnapshot,
  createState,
  flagKeys,
  loadEntries,
  type State,
  type StateOptions,
  setEmergency,
} from "./state.ts";
export type { LostCause, SyncStatus } from "./sync.ts";
export { compileVerdict, type Judge } from "./verdict.ts";
export { conditionSentence, type FlagState, type Names, ruleSentence, ruleTitle, sentenceOf, stateOf } from "./words.ts";
