import { readdirSync } from "node:fs";
import type { Server } from "node:http";
import { DESCRIPTORS_KEPT, type Descriptors } from "./admission.ts";

/** Where neither the limit nor the files in use can be read (Windows has no such limit). */
const UNKNOWN_MAX = 1_000_000;

/**
 * Keeps a server below its limit of open files. Streams stop 64 below it (admission); past it a connection is closed before it
 * costs anything, so that the database and the log never meet EMFILE. Connections on which nothing runs are closed first.
 */
export function guardDescriptors(server: Server, softLimit = openFilesMax()): Descriptors {
  // What the process has open itself, and as much again for what it will open.
  const own = Math.max(DESCRIPTORS_KEPT, 2 * filesOpenNow());
  const connectionsMax = Math.max(2 * DESCRIPTORS_KEPT, softLimit - own);
  let open = 0;
  server.maxConnections = connectionsMax;
  server.on("connection", (socket) => {
    open += 1;
    socket.once("close", () => {
      open -= 1;
    });
    if (open > connectionsMax - DESCRIPTORS_KEPT / 2) server.closeIdleConnections();
  });
  return { connections: () => open, connectionsMax };
}

/** The soft limit of this process; node itself raises it to the hard one when it starts. */
function openFilesMax(): number {
  const { report } = process;
  if (!report) return UNKNOWN_MAX;
  const { excludeNetwork } = report as { excludeNetwork?: boolean };
  // Otherwise the report looks up names for every connection.
  Object.assign(report, { excludeNetwork: true });
  const { userLimits } = report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  Object.assign(report, { excludeNetwork });
  const soft = Number(userLimits?.open_files?.soft);
  return Number.isFinite(soft) ? soft : UNKNOWN_MAX;
}

function filesOpenNow(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0; // no such folder on this system: the reserve alone counts
  }
}
