import * as columns from "./columns.pg.ts";
import type * as sqlite from "./columns.sqlite.ts";
import { define } from "./define.ts";

/** For migrations only: queries are made with the tables of `schema.sqlite.ts`, whatever they are asked of. */
const tables = define(columns as unknown as typeof sqlite);
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
