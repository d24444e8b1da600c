import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { brokenAuditRow } from "../store/audit.ts";
import { openStore } from "../store/store.ts";
import { createAheadWatch } from "./ahead.ts";
import { collectingLog, manualClock } from "./test-support.ts";

test("programs that hold more than the server for ten seconds raise the generation, once, and it is kept and audited", async () => {
  const directory = mkdtempSync(join(tmpdir(), "signalbox-ahead-"));
  const clock = manualClock();
  const store = await openStore({ directory, now: clock.now });
  const [environment] = store.feed.environments();
  if (!environment) expect.fail("no environment");
  const state = () => store.feed.state(environment.id, "server");
  const before = state();
  const ahead = createAheadWatch({ feed: store.feed, clock, log: collectingLog() });
  const basis = { generation: before.generation, revision: 50 };

  ahead(environment, basis);
  await clock.advance(9_000);
  ahead(environment, basis);
  expect(state()).toBe(before);
  // What no server can have given counts for nothing.
  await clock.advance(2_000);
  ahead(environment, { generation: Number.MAX_SAFE_INTEGER, revision: 1 });
  expect(state()).toBe(before);
  ahead(environment, basis);
  await vi.waitFor(() => expect(state().generation).toBeGreaterThan(before.generation));
  expect(state()).toMatchObject({ revision: before.revision, digest: before.digest });
  expect(await brokenAuditRow(store.db)).toBeUndefined();
  const raised = state().generation;
  await store.close();

  const again = await openStore({ directory });
  expect(again.feed.state(environment.id, "server").generation).toBe(raised);
  await again.close();
  rmSync(directory, { recursive: true });
});
