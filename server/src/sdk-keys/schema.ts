import { z } from "@hono/zod-openapi";

/** Keys of one kind that hold at one time in an environment, and origins of one browser key. */
export const SDK_KEYS_MAX = 20;
const ORIGINS_MAX = 50;
/** The longest that the key before may go on after a rotation: 90 days. */
const OLD_HOURS_MAX = 90 * 24;

const sdkKeyKind = z.enum(["server", "browser"]);
const name = z.string().trim().min(1).max(100);
const days = z.int().min(1).max(3_650);
const reason = z.string().trim().max(1_000).optional();

/** What a browser writes into the header Origin, letter by letter: it is compared as it stands. */
const origin = z
  .string()
  .max(200)
  .refine(isOrigin, {
    error: ({ input }) =>
      `${JSON.stringify(input)} is no origin of a page; write scheme, host and port as browsers do, such as "https://shop.example" or "http://localhost:3000", without a path or a *`,
  });
const origins = z
  .array(origin)
  .max(ORIGINS_MAX)
  .describe("of a browser key: the pages that may use it, by their exact origins; pages of every origin may when it is empty");

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text && !text.includes("*");
}

export const createSdkKey = z.strictObject({
  kind: sdkKeyKind,
  name,
  days: days.optional().describe("it ends after so many; never when absent"),
  origins: origins.optional(),
  reason,
});
export const rotateSdkKey = z.strictObject({
  oldHours: z
    .int()
    .min(0)
    .max(OLD_HOURS_MAX)
    .optional()
    .describe("the key before ends after so many hours, at once with 0; it holds until it is revoked when absent"),
  days: days.optional().describe("the new key ends after so many; when absent it holds as long as the one before was made for"),
  reason,
});
export const patchSdkKey = z.strictObject({ name: name.optional(), origins: origins.optional(), reason });
export const sdkKeyQuery = z.object({ reason });

export const sdkKey = z.object({
  id: z.number(),
  kind: sdkKeyKind,
  name: z.string(),
  selector: z.string().describe("the part of its text that is no secret: by it a key is known again where it is used"),
  origins: z.array(z.string()),
  createdAt: z.number(),
  createdBy: z.string(),
  expiresAt: z.number().nullable(),
  lastUsedAt: z.number().nullable().describe("to a few minutes"),
  connected: z.number().describe("programs that came with it and are running now"),
  apps: z.array(z.object({ app: z.string(), programs: z.number() })).describe("what those call themselves, the most first, at most 20"),
  etag: z.string(),
});
export const sdkKeys = z.object({
  server: z
    .string()
    .nullable()
    .describe("the server key that was made with the environment; null when it holds no more or cannot be shown"),
  browser: z.string().nullable().describe("the same for browsers"),
  url: z.string().describe("the public URL of this server, for SDKs"),
  keys: z.array(sdkKey).describe("all that hold, the oldest first, without their texts"),
});
export const sdkKeyMade = z.object({ key: sdkKey, text: z.string().describe("shown once; only its hash is kept") });
