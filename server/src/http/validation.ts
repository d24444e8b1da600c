import type { ZodError, z } from "zod";
import { type Issue, type Problem, problem } from "../errors.ts";

const ISSUES_MAX = 50;

type ZodIssue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/**
 * One issue for each field, in sentences that name the value, the rule and the next step; `target` is where it was found (`json`,
 * `query`, `param`, `header`) and `input` what was sent there; `unknown` is the code when a field is not known. Schemas give their own sentences where they know more; this speaks for the others.
 */
export function validationProblem(
  error: Pick<ZodError, "issues">,
  target: string,
  input: unknown,
  unknown: "UNKNOWN_PROPERTY" | "VALIDATION_FAILED" = "UNKNOWN_PROPERTY",
): Problem {
  const found = flat(error.issues, []);
  const isUnknown = (issue: ZodIssue) => issue.code === "unrecognized_keys";
  // First what cannot have been meant as it stands: most often a field's name is misspelt, and the others follow from it.
  const issues: Issue[] = [...found.filter(isUnknown), ...found.filter((issue) => !isUnknown(issue))].slice(0, ISSUES_MAX).map((issue) => ({
    path: issue.path.map(String).join("."),
    message: said(issue, input),
  }));
  const first = issues[0];
  const where = target === "json" ? "body" : target;
  const detail = first ? `${where}${first.path === "" ? "" : ` field ${first.path}`}: ${first.message}` : `${where}: not as expected`;
  return problem(found.some(isUnknown) ? unknown : "VALIDATION_FAILED", detail, { issues });
}

/** The same, each with the way to its field. */
export function issuesIn(
  error: Pick<ZodError, "issues">,
  input: unknown,
): { readonly path: readonly string[]; readonly message: string }[] {
  return flat(error.issues, [])
    .slice(0, ISSUES_MAX)
    .map((issue) => ({ path: issue.path.map(String), message: said(issue, input) }));
}

/** Without unions where one of their ways was meant, and one issue for each field that is not known. */
function flat(issues: readonly ZodIssue[], above: Path): ZodIssue[] {
  return issues.flatMap((issue): ZodIssue[] => {
    const path = [...above, ...issue.path];
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => ({ ...issue, keys: [key], path: [...path, key] }));
    if (issue.code !== "invalid_union") return [{ ...issue, path }];
    const meant = issue.errors.find((way) => way.length > 0 && !way.some(isOtherWay));
    return meant ? flat(meant, path) : [{ ...issue, path }];
  });
}

/** Another type than the way takes, or another word in the field that tells the ways apart. */
function isOtherWay({ code, path }: ZodIssue): boolean {
  if (path.length === 0) return code === "invalid_type";
  return path.length === 1 && (path[0] === "op" || path[0] === "kind") && (code === "invalid_value" || code === "invalid_union");
}

/** What zod says of itself begins so; everything else is a sentence of a schema. */
const ZODS_OWN = /^(Invalid|Too (big|small)|Unrecognized)/;

function said(issue: ZodIssue, input: unknown): string {
  if (!ZODS_OWN.test(issue.message)) return issue.message;
  const { path } = issue;
  const value = at(input, path);
  const what = subject(path, input);
  switch (issue.code) {
    case "unrecognized_keys":
      return `"${issue.keys[0]}" is not a field here`;
    case "too_big":
      return `${what} ${tooMuch(value, issue.origin, Number(issue.maximum), path)}`;
    case "too_small":
      return `${what} ${tooLittle(value, issue.origin, Number(issue.minimum))}`;
    case "not_multiple_of":
      return `${what} is ${shown(value)}, which is not in steps of ${issue.divisor}; round it`;
    case "invalid_type":
      if (value === undefined) return `${what} is missing; give ${TYPES[issue.expected] ?? issue.expected}`;
      return `${what} is ${shown(value)}, expected ${TYPES[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return choice(what, value, issue.values.map(String));
    case "invalid_format":
      if (issue.format === "datetime")
        return `${what} is ${shown(value)}, expected a time with its offset, such as 2026-12-01T09:00:00+01:00`;
      return `${what} is ${shown(value)}, which is not written as it must be`;
    case "invalid_union":
      return otherThanAll(issue, what, value);
    case "invalid_key":
      return issue.issues[0]?.message ?? `${what} is not the name of a field here`;
    default:
      return `${what} is ${shown(value)}, which is not expected here`;
  }
}

function otherThanAll(issue: Extract<ZodIssue, { code: "invalid_union" }>, what: string, value: unknown): string {
  const { discriminator, options } = issue as { discriminator?: string; options?: readonly unknown[] };
  if (discriminator !== undefined && options) return choice(what, value, options.map(String));
  // Conditions: the ways are told apart by `op`.
  const operators = issue.errors.flat().flatMap((inner) => {
    if (inner.path.length !== 1 || inner.path[0] !== "op") return [];
    return [...((inner as { options?: readonly unknown[] }).options ?? []), ...(inner.code === "invalid_value" ? inner.values : [])].map(
      String,
    );
  });
  if (operators.length > 0 && isObject(value)) return choice(`"op" in ${what}`, value.op, operators);
  const types = new Set(
    issue.errors.flat().flatMap((inner) => (inner.code === "invalid_type" ? [TYPES[inner.expected] ?? inner.expected] : [])),
  );
  return `${what} is ${shown(value)}, expected ${listed([...types], "or") || "another value"}`;
}

function choice(what: string, value: unknown, options: readonly string[]): string {
  const names = listed(
    options.map((option) => `"${option}"`),
    "or",
  );
  return value === undefined ? `${what} is missing; give ${names}` : `${what} is ${shown(value)}, expected ${names}`;
}

function tooMuch(value: unknown, origin: string, most: number, path: Path): string {
  if (origin === "array" && Array.isArray(value)) return `has ${value.length} entries, the most is ${most}; ${nextStep(path)}`;
  if (typeof value === "string") return `has ${value.length} characters (${shown(value)}), the most is ${most}; shorten it`;
  return `is ${shown(value)}, the most is ${most}; choose a smaller number`;
}

function tooLittle(value: unknown, origin: string, least: number): string {
  if (origin === "array" && Array.isArray(value)) {
    return value.length === 0 ? "is an empty list; name at least one" : `has ${value.length} entries, the least is ${least}; add some`;
  }
  if (typeof value === "string")
    return value === "" ? "is empty; write something there" : `has ${value.length} characters, the least is ${least}`;
  return `is ${shown(value)}, the least is ${least}; choose a larger number`;
}

/** What to do instead, for the lists that grow. */
const NEXT_STEPS: Readonly<Record<string, string>> = {
  rules: "put people into groups, so that fewer rules do",
  values: "put the values into a group by list, or use a condition that says what they have in common",
  of: "put some of the conditions into a group",
  requires: "require one flag that requires the others",
  points: "use a line between fewer points",
  weights: "leave some variants out",
  tags: "remove some",
  add: "send them in several requests",
  remove: "send them in several requests",
};

function nextStep(path: Path): string {
  return NEXT_STEPS[String(path.findLast((part) => typeof part === "string"))] ?? "leave some out";
}

const TYPES: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

/** `"values" of the condition on "plan" in rule "Beta"`; for an entry of a list `entry 3 of "values" …`. */
function subject(path: Path, input: unknown): string {
  const last = path.at(-1);
  if (last === undefined) return "it";
  const isEntry = typeof last === "number";
  const field = isEntry ? path.findLast((part) => typeof part === "string") : last;
  const named = isEntry ? `entry ${last + 1} of "${String(field)}"` : `"${String(field)}"`;
  const inRule = path[0] === "rules" && typeof path[1] === "number" && path.length > 2;
  return named + conditionOf(path, input) + (inRule ? ` in ${ruleName(at(input, path.slice(0, 2)), path[1] as number)}` : "");
}

/** The innermost object above the field that names an attribute is the condition that the field belongs to. */
function conditionOf(path: Path, input: unknown): string {
  for (let end = path.length - 1; end > 0; end--) {
    const holder = at(input, path.slice(0, end));
    if (!isObject(holder) || typeof holder.op !== "string") continue;
    return typeof holder.attribute === "string" && holder.attribute !== "" && path[end] !== "attribute"
      ? ` of the condition on ${shown(holder.attribute)}`
      : "";
  }
  return "";
}

function ruleName(rule: unknown, index: number): string {
  const { name, id } = isObject(rule) ? rule : {};
  const known = [name, id].find((one) => typeof one === "string" && one !== "");
  return known === undefined ? `rule ${index + 1}` : `rule ${shown(known)}`;
}

function at(input: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (holder, part) => (isObject(holder) && Object.hasOwn(holder, part) ? holder[part as string] : undefined),
    input,
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

const SHOWN_MAX = 60;

function shown(value: unknown): string {
  const text =
    typeof value === "object" && value !== null ? (Array.isArray(value) ? "a list" : "an object") : (JSON.stringify(value) ?? "nothing");
  if (text.length <= SHOWN_MAX) return text;
  // Not in the middle of a character that takes two.
  return `${[...text.slice(0, SHOWN_MAX)].slice(0, -1).join("")}…"`;
}

function listed(items: readonly string[], word: string): string {
  const last = items.at(-1) ?? "";
  return items.length < 3 ? items.join(` ${word} `) : `${items.slice(0, -1).join(", ")} ${word} ${last}`;
}
