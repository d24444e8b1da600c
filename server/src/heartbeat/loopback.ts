import { request } from "node:http";
import { type Ports, readDetail, sendResult } from "@signalbox/core";

type Answer = { readonly status: number; readonly text: string };

const ANSWER_MS_MAX = 5_000;

/** The network of a program that the server runs within itself: real connections to its own address. */
export function loopback(
  address: { readonly host: string; readonly port: number },
  sdkKey: string,
): Pick<Ports, "stream" | "state" | "send"> {
  const authorization = `Bearer ${sdkKey}`;

  function ask(method: string, path: string, body: string | undefined, headers: Record<string, string> = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asked = request(
        { ...address, method, path: `/sdk/v1/${path}`, agent: false, headers: { authorization, ...headers } },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (piece: string) => {
            text += piece;
          });
          response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
          response.on("error", reject);
        },
      );
      asked.setTimeout(ANSWER_MS_MAX, () => asked.destroy(new Error(`no answer within ${ANSWER_MS_MAX} ms`)));
      asked.on("error", reject);
      asked.end(body);
    });
  }

  return {
    stream(query, listener) {
      let over = false;
      const lost: typeof listener.lost = (cause, more) => {
        if (over) return;
        over = true;
        asked.destroy();
        listener.lost(cause, more);
      };
      const path = `/sdk/v1/stream?${query}`;
      const asked = request({ ...address, path, agent: false, headers: { authorization, accept: "text/event-stream" } }, (response) => {
        response.setEncoding("utf8");
        const status = response.statusCode ?? 0;
        if (status !== 200) {
          let text = "";
          response.on("data", (piece: string) => {
            text += piece;
          });
          response.on("end", () => lost("refused", { status, detail: readDetail(text) ?? "" }));
          return;
        }
        response.on("data", (piece: string) => {
          if (!over) listener.text(piece);
        });
        response.on("close", () => lost("ended"));
        response.on("error", () => lost("ended"));
        listener.open();
      });
      asked.setNoDelay(true);
      asked.on("error", (error) => lost("network", { detail: error.message }));
      asked.end();
      return () => {
        over = true;
        asked.destroy();
      };
    },
    state(query, etag, listener) {
      let over = false;
      ask("GET", `state?${query}`, undefined, etag ? { "if-none-match": etag } : {}).then(
        ({ status, text }) => {
          if (over) return;
          if (status === 304) listener({ kind: "state" });
          else if (status === 200) listener({ kind: "state", text });
          else listener({ kind: "lost", cause: "refused", status });
        },
        () => {
          if (!over) listener({ kind: "lost", cause: "network" });
        },
      );
      return () => {
        over = true;
      };
    },
    async send(path, body) {
      // It evaluates nothing that anybody would count.
      if (path === "usage") return "sent";
      try {
        return sendResult((await ask("POST", path, body, { "content-type": "application/json" })).status);
      } catch {
        return "failed"; // the client comes again
      }
    },
  };
}
