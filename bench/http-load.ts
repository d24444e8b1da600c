import { connect } from "node:net";
import { now, serveCalls } from "./remote.ts";

/** Keep-alive connections that ask again as soon as they are answered. In a process of its own. */
interface Load {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly seconds: number;
  readonly connections: number;
}

serveCalls({
  run: ({ url, headers, seconds, connections }: Load): Promise<number> =>
    new Promise((resolve, reject) => {
      const { hostname, port, pathname, search } = new URL(url);
      const lines = Object.entries({ host: hostname, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
      const asked = Buffer.from(`GET ${pathname}${search} HTTP/1.1\r\n${lines.join("")}\r\n`);
      const began = now();
      const end = began + seconds * 1_000;
      let answers = 0;
      const sockets = Array.from({ length: connections }, () => {
        const socket = connect(Number(port), hostname);
        let missing = 0;
        socket.on("error", reject);
        socket.on("data", (piece: Buffer) => {
          if (missing === 0) {
            const head = piece.toString("latin1");
            const body = head.indexOf("\r\n\r\n") + 4;
            if (body < 4 || !/^HTTP\/1\.1 (200|304) /.test(head)) return reject(new Error(head.slice(0, 200)));
            missing = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0) + body;
          }
          missing -= piece.length;
          if (missing > 0) return;
          missing = 0;
          answers += 1;
          if (now() < end) socket.write(asked);
        });
        socket.write(asked);
        return socket;
      });
      setTimeout(() => {
        for (const socket of sockets) socket.destroy();
        resolve(answers / ((now() - began) / 1_000));
      }, seconds * 1_000);
    }),
});
