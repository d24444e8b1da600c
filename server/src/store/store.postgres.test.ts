import { afterAll, beforeAll, describe, test } from "vitest";
import { describeStore } from "./contract.ts";
import { openStore } from "./store.ts";
import { missingPostgres, type Postgres, startPostgres } from "./test-postgres.ts";

const missing = missingPostgres();
if (missing && process.env.REQUIRE_SERVICES === "1") throw new Error(missing);

describe.skipIf(missing !== undefined)("PostgreSQL", () => {
  let server: Postgres;
  /** Each folder has a database of its own. */
  const databases = new Map<string, string>();
  beforeAll(async () => {
    server = await startPostgres({ fsync: false });
  });
  afterAll(() => server.stop());

  describeStore(
    "postgres",
    async (options) => {
      const databaseUrl = databases.get(options.directory) ?? (await server.createDatabase());
      databases.set(options.directory, databaseUrl);
      return openStore({ ...options, databaseUrl });
    },
    { isFile: false },
  );
});

test.runIf(missing)(`skipped: ${missing}`, () => {
  console.log(`The tests over PostgreSQL are skipped: ${missing}.`);
});
