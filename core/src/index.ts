export { BUCKETS, murmur3, rolloutBucket, splitBucket, unitOf } from "./bucket.ts";
export { digestOf, isHex64, xor64, ZERO64 } from "./digest.ts";
export { type EvaluateOptions, evaluate, type Override, typeMatches } from "./evaluate.ts";
export * from "./model.ts";
export * from "./protocol.ts";
export { sipHash } from "./siphash.ts";
export { type Applied, applyChange, applySnapshot, createState, flagKeys, loadEntries, type State, setEmergency } from "./state.ts";
