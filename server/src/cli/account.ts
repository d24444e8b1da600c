import { Problem } from "../errors.ts";
import type { Output } from "./commands.ts";
import { type Options, UsageProblem } from "./options.ts";

/**
 * For a server that locked everybody out: on the data folder itself (SIGNALBOX_DATA), with the server stopped. Whoever can write the
 * folder could do it anyway; this way it stands in the audit.
 */
export async function account(options: Options, output: Output, env: NodeJS.ProcessEnv): Promise<number> {
  const { key: verb, rest } = options;
  const [name] = rest;
  if (verb !== "reset-password" || name === undefined) {
    throw new UsageProblem('What about an account? Please write "signalbox account reset-password NAME".');
  }
  if (env.DATABASE_URL?.trim()) {
    throw new UsageProblem(
      "DATABASE_URL is set, and this command opens data folders only: let another admin make a link under People, as docs/roles.md shows.",
    );
  }
  // What it imports needs SQLite, which the other commands do not.
  const { createAuth } = await import("../auth/auth.ts");
  const { openStore } = await import("../store/store.ts");
  const { StoreUnusable } = await import("../store/rows.ts");
  const { SqliteUnavailable } = await import("../store/driver.ts");
  const { readSettings, StartProblem } = await import("../settings.ts");
  try {
    const { data, publicUrl, port } = readSettings(env);
    const store = await openStore({ directory: data });
    try {
      const auth = createAuth({ store, publicUrl: publicUrl ?? `http://localhost:${port}` });
      await auth.prepare();
      const { disabledAt } = await auth.accounts.find(name);
      const { secret, expiresAt } = await auth.invitations.createReset(name, { by: "signalbox", reason: options.reason });
      const url = `${auth.publicUrl}/invitation#token=${secret}`;
      if (options.json) output.out(JSON.stringify({ name, url, expiresAt }));
      else {
        output.out(`Start the server, then open this link to set a new password for ${name}; it works once, for a day:`);
        output.out(url);
      }
      if (disabledAt !== null) output.err(`${name} is disabled: the link works when an admin has enabled the account.`);
      return 0;
    } finally {
      await store.close();
    }
  } catch (error) {
    const isExpected =
      error instanceof StoreUnusable || error instanceof SqliteUnavailable || error instanceof StartProblem || error instanceof Problem;
    if (!isExpected) throw error;
    output.err(error.message);
    return 1;
  }
}
