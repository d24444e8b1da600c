import { pino } from "pino";

/** The server's log. What people should read at the start is printed by `main.ts`; this is for what happens later. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** JSON lines on standard error, from warnings on. Headers and bodies are never logged, so no secret can get there. */
export function createLog(): Log {
  return pino({ level: "warn", base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }));
}
