import { Socket } from "node:net";

/**
 * Imported by every measured process before it imports its subject: nothing that is compared may talk to anybody but this machine,
 * whatever its options promise. What tries is refused and named.
 */
export const refused = new Set<string>();

const HERE = new Set(["127.0.0.1", "::1", "localhost"]);
const connect = Socket.prototype.connect;

Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
  // node:net hands over its arguments in a list once it has looked at them.
  const [first, second] = Array.isArray(args[0]) ? args[0] : args;
  const host = hostOf(first, second);
  if (host === undefined || HERE.has(host)) return Reflect.apply(connect, this, args);
  refused.add(host);
  process.nextTick(() => this.destroy(new Error(`a benchmark does not connect to ${host}`)));
  return this;
} as typeof connect;

/** Undefined for a socket of this machine's file system. */
function hostOf(first: unknown, second: unknown): string | undefined {
  if (typeof first === "number") return typeof second === "string" ? second : "localhost";
  if (typeof first !== "object" || first === null) return undefined;
  const { host, path } = first as { host?: string; path?: string };
  return path === undefined || path === null ? (host ?? "localhost") : undefined;
}
