/** Column kinds of the one schema definition (`define.ts`), for SQLite. Another dialect exports the same names. */
import { customType, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** Not drizzle's own column of JSON, which stores a null that is the value of a placeholder as the text "null". */
const textOfJson = customType<{ data: unknown; driverData: string | null }>({
  dataType: () => "text",
  toDriver: (value) => (value === null ? null : JSON.stringify(value)),
  fromDriver: (text) => (text === null ? null : JSON.parse(text)),
});

export const table = sqliteTable;
export const id = () => integer("id").primaryKey({ autoIncrement: true });
export const string = (name: string) => text(name);
export const int = (name: string) => integer(name);
/** Milliseconds since 1970. */
export const time = (name: string) => integer(name);
export const bool = (name: string) => integer(name, { mode: "boolean" });
export const json = <T>(name: string) => textOfJson(name).$type<T>();
export { index, primaryKey, uniqueIndex };
