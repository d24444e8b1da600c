import * as columns from "./columns.sqlite.ts";
import { define } from "./define.ts";

export const tables = define(columns);
/** drizzle-kit reads each table as an export of its own. */
export const {
  meta,
  project,
  environment,
  sdkKey,
  flag,
  flagAlias,
  flagTombstone,
  flagConfiguration,
  group,
  groupMember,
  formerMember,
  changeSet,
  changeItem,
  checkpoint,
  audit,
  actor,
  account,
  grant,
  invitation,
  attempt,
  session,
  token,
  signInLink,
  usage,
  fact,
  receipt,
  usageCount,
  usageBatch,
  sampledContext,
  idempotency,
} = tables;
