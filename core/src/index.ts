export { BUCKETS, murmur3, rolloutBucket, splitBucket, unitOf } from "./bucket.ts";
export {
  browserObstacles,
  CONDITION_DEPTH_MAX,
  checkCondition,
  checkFlag,
  dependents,
  type FlagBody,
  type Problem,
} from "./check.ts";
export * from "./client.ts";
export { digestOf, isHex64, xor64, ZERO64 } from "./digest.ts";
export { type EvaluateOptions, evaluate, type Override, typeMatches, unreadableBecause } from "./evaluate.ts";
export * from "./model.ts";
export * from "./parse.ts";
export * from "./protocol.ts";
export { sipHash } from "./siphash.ts";
export * from "./sse.ts";
export { type Applied, applyChange, applySnapshot, createState, flagKeys, loadEntries, type State, setEmergency } from "./state.ts";
export * from "./sync.ts";
export * from "./usage-counts.ts";
export { conditionSentence, type FlagState, type Names, sentenceOf, stateOf } from "./words.ts";
