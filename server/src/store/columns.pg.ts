/** Column kinds of the one schema definition (`define.ts`), for PostgreSQL. The same names as `columns.sqlite.ts`. */
import { bigint, boolean, customType, index, pgTable, primaryKey, json as textOfJson, uniqueIndex } from "drizzle-orm/pg-core";

/** Ordered by its bytes, as in SQLite, whatever language the database was made for. */
const text = customType<{ data: string }>({ dataType: () => 'text COLLATE "C"' });

export const table = pgTable;
export const id = () => bigint("id", { mode: "number" }).primaryKey().generatedByDefaultAsIdentity();
export const string = (name: string) => text(name);
export const int = (name: string) => bigint(name, { mode: "number" });
/** Milliseconds since 1970. */
export const time = (name: string) => bigint(name, { mode: "number" });
export const bool = (name: string) => boolean(name);
/** `json` and not `jsonb`, which would put the fields of people's values into another order. */
export const json = <T>(name: string) => textOfJson(name).$type<T>();
export { index, primaryKey, uniqueIndex };
