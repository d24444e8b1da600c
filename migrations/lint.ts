/**
 * Why a migration must not be merged, or undefined. While servers are upgraded one after the other the older program goes on with the new
 * schema, and it inserts rows without the columns that it does not know: so a migration only ever adds, and what it adds may be left out.
 */
export function refusalOf(sql: string): string | undefined {
  for (const statement of sql.split("--> statement-breakpoint")) {
    const text = statement.replace(/`[^`]*`|"[^"]*"|'(?:[^']|'')*'/g, "x").trim();
    const word = /\b(drop|rename|alter\s+column|delete|truncate|update)\b/i.exec(
      text.replace(/\bon (delete|update) (no action|cascade|restrict|set null)\b/gi, ""),
    )?.[1];
    if (word) return `a migration must not ${word.toLowerCase()}: ${statement.trim()}`;
    if (/^alter\s+table\b.*\badd\b/is.test(text) && /\bnot\s+null\b/i.test(text) && !/\bdefault\b/i.test(text)) {
      return `a column is added that is NOT NULL without a default: ${statement.trim()}`;
    }
  }
  return undefined;
}
