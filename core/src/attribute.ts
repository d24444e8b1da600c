/**
 * Reads one attribute of a context: its own property of that name, else for `account.key` the own property `key` of
 * the object in its own property `account` (one level, at the first dot; arrays hold no attributes). So an attribute
 * whose name has a dot can be sent flat or nested; sent both ways, the flat one counts.
 * Undefined when absent. Runs the caller's getters and proxies: it throws whatever they throw.
 */
export function attributeReader(name: string): (context: unknown) => unknown {
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

// Own properties only: every object inherits a "constructor", and a polluted prototype must not turn a flag on.
function ownValue(holder: unknown, name: string): unknown {
  return isObject(holder) && Object.hasOwn(holder, name) ? holder[name] : undefined;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
