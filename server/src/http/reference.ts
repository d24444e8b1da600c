import { html, raw } from "hono/html";
import { ACTION_FIELD } from "./route.ts";

type Html = ReturnType<typeof html>;

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly description?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}
interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}
interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly {
    readonly in: string;
    readonly name: string;
    readonly required?: boolean;
    readonly schema?: Schema;
    readonly description?: string;
  }[];
  readonly requestBody?: Content & { readonly required?: boolean };
  readonly responses: Readonly<Record<string, Content & { readonly description?: string }>>;
  readonly [ACTION_FIELD]?: string;
}
/** What the page shows of an OpenAPI document. */
export interface ReferenceDocument {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}

/** A schema is written out this deep; deeper ones are a word. */
const DEPTH_MAX = 6;

/** The OpenAPI document for people: one page of our own without a script, so that it needs nothing from elsewhere and no exception to the policy. */
export function referencePage({ info, paths, components }: ReferenceDocument, nonce: string): Html {
  const groups = new Map<string, Shown[]>();
  for (const [path, operations] of Object.entries(paths)) {
    const subject = subjectOf(path);
    const shown = Object.entries(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation }));
    groups.set(subject, [...(groups.get(subject) ?? []), ...shown]);
  }
  const schemas = Object.entries(components?.schemas ?? {});
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>API - ${info.title}</title>
<style nonce="${nonce}">${raw(STYLE)}</style>
</head>
<body>
<header>
<h1>${info.title} API <small>${info.version}</small></h1>
<p>${info.description?.replaceAll("`", "")} The same as a document for programs: <a href="/api/v1/openapi.json">openapi.json</a>.</p>
<nav aria-label="Subjects">${[...groups.keys()].map((subject) => html`<a href="#${subject}">${subject}</a> `)}<a href="#shapes">shapes</a></nav>
</header>
<main>
${[...groups].map(
  ([subject, operations]) => html`<section aria-labelledby="${subject}"><h2 id="${subject}">${subject}</h2>
${operations.map(shownOperation)}</section>
`,
)}
<section aria-labelledby="shapes"><h2 id="shapes">shapes</h2>
${schemas.map(([name, schema]) => html`<h3 id="shape-${name}">${name}</h3><pre>${written(schema)}</pre>`)}
</section>
</main>
</body>
</html>`;
}

interface Shown {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

function shownOperation({ method, path, operation }: Shown): Html {
  const { summary, parameters = [], requestBody, responses } = operation;
  const sent = Object.values(requestBody?.content ?? {})[0]?.schema;
  return html`<details>
<summary><b class="${method.toLowerCase()}">${method}</b> <code>${path}</code> <span>${summary}</span></summary>
<p>Needs: <b>${operation[ACTION_FIELD] ?? "nothing"}</b></p>
${
  parameters.length === 0
    ? ""
    : html`<h4>Parameters</h4><dl>${parameters.map(
        (
          one,
        ) => html`<dt><code>${one.name}</code> in ${one.in === "path" ? "the path" : one.in}${one.required ? "" : ", may be left out"}</dt>
<dd><pre>${written(one.schema ?? {})}</pre>${one.description ? html`<p>${one.description}</p>` : ""}</dd>`,
      )}</dl>`
}
${sent ? html`<h4>Body${requestBody?.required ? "" : ", may be left out"}</h4><pre>${written(sent)}</pre>` : ""}
<h4>Answers</h4>
${Object.entries(responses).map(([status, { description, content }]) => {
  const [type, media] = Object.entries(content ?? {})[0] ?? [];
  return html`<p><b>${status === "default" ? "4xx, 5xx" : status}</b> ${description}${type && type !== "application/json" ? html` <code>${type}</code>` : ""}</p>
${media?.schema && status !== "default" ? html`<pre>${written(media.schema)}</pre>` : ""}`;
})}
</details>
`;
}

/** The first part of the path that names a thing and not a place. */
function subjectOf(path: string): string {
  const rest = path.replace(/^\/api\/v1\//, "").replace(/^projects\/\{project\}\/(environments\/\{environment\}\/)?(?=.)/, "");
  return rest.split("/")[0] || "other";
}

/** A schema as a type: `{ name: text of 1 to 100, days?: whole number from 1 to 365 }`. */
function written(schema: Schema, depth = 0): string {
  if (schema.$ref) return schema.$ref.split("/").at(-1) ?? "";
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const ways = schema.anyOf ?? schema.oneOf;
  if (ways) return ways.map((way) => written(way, depth)).join(" | ");
  if (schema.allOf) return schema.allOf.map((part) => written(part, depth)).join(" & ");
  const types = typeof schema.type === "string" ? [schema.type] : (schema.type ?? []);
  return types.map((type) => ofType(type, schema, depth)).join(" | ") || "anything";
}

function ofType(type: string, schema: Schema, depth: number): string {
  switch (type) {
    case "string":
      return `text${range(schema.minLength, schema.maxLength)}`;
    case "integer":
      return `whole number${range(schema.minimum, schema.maximum)}`;
    case "number":
      return `number${range(schema.minimum, schema.maximum)}`;
    case "array":
      return `list${range(schema.minItems, schema.maxItems)} of ${schema.items ? written(schema.items, depth) : "anything"}`;
    case "object":
      return ofObject(schema, depth);
    default:
      return type;
  }
}

function ofObject({ properties = {}, required = [], additionalProperties }: Schema, depth: number): string {
  const fields = Object.entries(properties);
  if (depth >= DEPTH_MAX) return "object";
  if (fields.length === 0) {
    return typeof additionalProperties === "object" ? `{ [name]: ${written(additionalProperties, depth + 1)} }` : "object";
  }
  const indent = "  ".repeat(depth + 1);
  const lines = fields.map(([name, field]) => {
    const about = field.description === undefined ? "" : `  // ${field.description}`;
    return `${indent}${name}${required.includes(name) ? "" : "?"}: ${written(field, depth + 1)}${about}`;
  });
  return `{\n${lines.join("\n")}\n${"  ".repeat(depth)}}`;
}

function range(least: number | undefined, most: number | undefined): string {
  // Those are the bounds of every number.
  const [low, high] = [least === Number.MIN_SAFE_INTEGER ? undefined : least, most === Number.MAX_SAFE_INTEGER ? undefined : most];
  if (low !== undefined && high !== undefined) return ` (${low} to ${high})`;
  return high !== undefined ? ` (up to ${high})` : low !== undefined && low > 0 ? ` (from ${low})` : "";
}

const STYLE = `
:root { color-scheme: light dark; --back: #ffffff; --text: #16181d; --soft: #565d6b; --line: #c9ced8; --code: #f2f4f8; --act: #2b4acb; }
@media (prefers-color-scheme: dark) { :root { --back: #14161a; --text: #eef0f4; --soft: #aab1bf; --line: #464d5a; --code: #1d2026; --act: #a9bbff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 0 1rem 3rem; background: var(--back); color: var(--text); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: anywhere; }
small, summary span { color: var(--soft); font-weight: 400; }
a { color: var(--act); }
nav a { display: inline-block; padding: .25rem .6rem .25rem 0; }
h2 { margin: 2rem 0 .5rem; font-size: 1.25rem; }
h4 { margin: .8rem 0 .3rem; font-size: 1rem; }
details { border-top: 1px solid var(--line); padding: .2rem 0; }
summary { padding: .5rem 0; cursor: pointer; }
summary b { display: inline-block; min-width: 4.2rem; font-size: .85rem; }
summary span { display: block; padding-left: 1.1rem; }
code, pre { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .9em; }
pre { margin: .3rem 0; padding: .6rem .8rem; background: var(--code); border-radius: 8px; overflow-x: auto; white-space: pre-wrap; }
dl { margin: 0; } dd { margin: 0 0 .5rem 1rem; }
:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; }
`;
