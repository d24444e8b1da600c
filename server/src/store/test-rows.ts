import { sql } from "drizzle-orm";
import { type Database, dialectOf, runStatement } from "./database.ts";

/** Makes the database refuse rows of a table, as a defect or a full disk would, until the function that it resolves to is called. */
export async function refuseRows(db: Database, what: "insert" | "update", table: string, message = "no"): Promise<() => Promise<void>> {
  const run = (text: string) => runStatement(db, sql.raw(text));
  if (dialectOf(db) === "sqlite") {
    await run(`create trigger refuse before ${what} on ${table} begin select raise(abort, '${message}'); end`);
    return () => run("drop trigger refuse");
  }
  await run(`create or replace function refuse() returns trigger as $$ begin raise exception '${message}'; end $$ language plpgsql`);
  await run(`create trigger refuse before ${what} on ${table} for each row execute function refuse()`);
  return () => run(`drop trigger refuse on ${table}`);
}
