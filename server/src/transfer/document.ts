import { z } from "@hono/zod-openapi";
import { patchSettings } from "../environments/schema.ts";
import { configuration, flag, flagKey } from "../flags/schema.ts";
import { groupKey, groupKind, unit } from "../groups/schema.ts";

/**
 * A project as one file: what `docs/export-format.md` describes. Nothing in it means anything to one database alone (ids, versions, times,
 * who did it), and nothing in it is secret.
 *
 * History of the version:
 * - 1: the first.
 */
export const FORMAT = "signalbox-project";
export const FORMAT_VERSION = 1;

/** Who is in groups: not told, told as keyed hashes, or as clear units. Only clear units can be imported. */
export const MEMBERS = ["none", "hashes", "clear"] as const;
export type MembersTold = (typeof MEMBERS)[number];

export const FLAGS_MAX = 10_000;
const ENVIRONMENTS_MAX = 100;
const GROUPS_MAX = 1_000;
/** Of one group. */
const UNITS_MAX = 100_000;

const environmentKey = z.string().min(1).max(100);
const { name, description, type, tags, kind, links, expectedDays } = flag.shape;

export const configurationDocument = configuration.extend({
  salt: z.string().min(1).max(100).describe("of its percentages: another one picks other people"),
  killed: z
    .strictObject({ reason: z.string().max(500).nullable() })
    .optional()
    .describe("it is killed; taken over by a flag that an import makes, and by no other"),
});

export const flagDocument = z.strictObject({
  key: flagKey,
  aliases: z.array(flagKey).max(50).describe("old keys, which go on answering"),
  name: name.max(200),
  description: description.max(5000),
  type,
  tags: tags.max(50),
  owner: z.string().max(100).nullable(),
  kind,
  links,
  expectedDays,
  configurations: z.record(environmentKey, configurationDocument).describe("by the key of the environment"),
});

export const groupDocument = z.strictObject({
  key: groupKey,
  kind: groupKind,
  name: z.string().max(200),
  description: z.string().max(5000),
  by: z.string().min(1).max(100),
  when: configuration.shape.rules.element.shape.when.unwrap().nullable(),
  members: z.array(unit).max(UNITS_MAX).optional().describe("clear units, sorted"),
  left: z.array(unit).max(UNITS_MAX).optional().describe("who has left early access by themselves"),
  hashKey: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  hashes: z
    .array(z.string().regex(/^[0-9a-f]{16}$/))
    .max(UNITS_MAX)
    .optional(),
});

const { secureMode, privateAttributes, sampleContexts } = patchSettings.shape;
export const environmentDocument = z.strictObject({
  key: environmentKey,
  name: z.string().max(200),
  color: z.string().max(50),
  production: z.boolean(),
  settings: z.strictObject({
    secureMode: secureMode.unwrap(),
    privateAttributes: privateAttributes.unwrap(),
    sampleContexts: sampleContexts.unwrap(),
  }),
  groups: z.array(z.unknown()).max(GROUPS_MAX),
});

/** The file around its flags and groups, which are looked at one by one. */
export const projectDocument = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(FORMAT_VERSION),
  members: z.enum(MEMBERS),
  project: z.strictObject({ key: z.string().min(1).max(100), name: z.string().max(200), description: z.string().max(5000).optional() }),
  environments: z.array(environmentDocument).max(ENVIRONMENTS_MAX),
  flags: z.array(z.unknown()).max(FLAGS_MAX),
});

export type FlagDocument = z.infer<typeof flagDocument>;
export type GroupDocument = z.infer<typeof groupDocument>;
export type ConfigurationDocument = z.infer<typeof configurationDocument>;
export type EnvironmentDocument = Omit<z.infer<typeof environmentDocument>, "groups"> & { readonly groups: readonly GroupDocument[] };
export type ProjectDocument = Omit<z.infer<typeof projectDocument>, "environments" | "flags"> & {
  readonly environments: readonly EnvironmentDocument[];
  readonly flags: readonly FlagDocument[];
};

/** The whole file: what `docs/export-format.schema.json` is made from. */
export const wholeDocument = projectDocument.extend({
  environments: z.array(environmentDocument.extend({ groups: z.array(groupDocument).max(GROUPS_MAX) })).max(ENVIRONMENTS_MAX),
  flags: z.array(flagDocument).max(FLAGS_MAX),
});
