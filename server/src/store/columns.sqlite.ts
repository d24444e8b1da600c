/** Column kinds of the one schema definition (`define.ts`), for SQLite. Another dialect exports the same names. */
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

export const table = sqliteTable;
export const id = () => integer("id").primaryKey({ autoIncrement: true });
export const string = (name: string) => text(name);
export const int = (name: string) => integer(name);
/** Milliseconds since 1970. */
export const time = (name: string) => integer(name);
export const bool = (name: string) => integer(name, { mode: "boolean" });
export const json = <T>(name: string) => text(name, { mode: "json" }).$type<T>();
export { index, primaryKey, uniqueIndex };
