/** The session cookie. Its name carries the port, because cookies do not keep ports apart: two servers on one host must not sign each other out. */
export interface SessionCookie {
  readonly name: string;
  /** The session's secret in a Cookie header. */
  read(header: string | undefined): string | undefined;
  set(secret: string, maxAgeSeconds: number): string;
  clear(): string;
}

export function sessionCookie(publicUrl: string): SessionCookie {
  const { protocol, port } = new URL(publicUrl);
  const secure = protocol === "https:";
  const base = port === "" ? "signalbox_session" : `signalbox_session_${port}`;
  const name = secure ? `__Host-${base}` : base;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
  return {
    name,
    read(header) {
      for (const part of (header ?? "").split(";")) {
        const [key, value] = part.trim().split("=", 2);
        if (key === name && value) return value;
      }
      return undefined;
    },
    set: (secret, maxAgeSeconds) => `${name}=${secret}; ${attributes}; Max-Age=${maxAgeSeconds}`,
    clear: () => `${name}=; ${attributes}; Max-Age=0`,
  };
}
