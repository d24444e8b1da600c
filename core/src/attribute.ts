/**
 * Reads one attribute of a context: its own property of that name, else for `account.key` the own property `key` of
 * the object in its own property `account` (one level, at the first dot; arrays hold no attributes). So an attribute
 * whose name has a dot can be sent flat or nested; sent both ways, the flat one counts.
 * Undefined when absent. Runs the caller's getters and proxies: it throws whatever they throw.
 */
export function attributeReader(name: string): (context: unknown) => unknown {
  if (name === "key") return ownKey;
  const dot = name.indexOf(".");
  if (dot < 0) return (context) => ownValue(context, name);
  const outer = name.slice(0, dot);
  const inner = name.slice(dot + 1);
  return (context) => {
    if (isObject(context) && Object.hasOwn(context, name)) return context[name];
    const held = ownValue(context, outer);
    return Array.isArray(held) ? undefined : ownValue(held, inner);
  };
}

const PLAIN = Object.prototype as unknown as Readonly<Record<string, unknown>>;

/**
 * Own properties only: every object inherits a "constructor", and a polluted prototype must not turn a flag on. Asking whether a property is
 * its own takes 9 ns; asking what the prototype holds under a name that is handed in takes 23 as soon as a program reads two names.
 */
export function ownValue(holder: unknown, name: string): unknown {
  if (typeof holder !== "object" || holder === null || !Object.hasOwn(holder, name)) return undefined;
  return (holder as Readonly<Record<string, unknown>>)[name];
}

/**
 * The same for the name that most rules read. The engine reads a name that it sees in the code faster than one that is handed in, the prototype's
 * too: whether the property is the object's own is asked only where the prototype could have it.
 */
export function ownKey(holder: unknown): unknown {
  if (typeof holder !== "object" || holder === null) return undefined;
  const value = (holder as { readonly key?: unknown }).key;
  if (value === undefined) return undefined;
  const prototype: unknown = Object.getPrototypeOf(holder);
  if (prototype === PLAIN ? PLAIN.key === undefined : prototype === null) return value;
  return Object.hasOwn(holder, "key") ? value : undefined;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
