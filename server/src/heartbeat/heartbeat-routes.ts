import { answer, apiRoute, createApi } from "../http/route.ts";
import type { Heartbeat } from "./heartbeat.ts";
import { heartbeat as shape } from "./schema.ts";

const show = apiRoute("list", {
  method: "get",
  path: "/api/v1/heartbeat",
  summary: "Whether a kill would work now: the last change of the heartbeat switch, and how long it took",
  responses: { 200: answer(shape, "the last beat") },
});

export function heartbeatRoutes({ heartbeat }: { heartbeat: Heartbeat }) {
  const api = createApi();
  api.openapi(show, (c) => c.json(heartbeat.read(), 200));
  return api;
}
