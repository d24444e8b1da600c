/** The list with one entry at another place; the same list when there is nothing to move. */
export function moved<T>(list: readonly T[], from: number, to: number): readonly T[] {
  const entry = list[from];
  if (entry === undefined || from === to || to < 0 || to >= list.length) return list;
  const rest = list.filter((_, index) => index !== from);
  return [...rest.slice(0, to), entry, ...rest.slice(to)];
}

/** Why a key of a project or an environment would be refused; undefined while it is fine or empty. */
export function placeKeyProblem(key: string): string | undefined {
  if (key === "" || /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/.test(key)) return undefined;
  return "1 to 40 small letters, digits and dashes; it begins and ends with a letter or digit";
}
