import type { SdkKeys } from "../../../src/api-types.ts";

export type ReadBy = "server" | "browser" | "both";

export const NODE_APP = "my-app";
export const BROWSER_APP = "my-page";

/** In the place of the first key, where that was revoked: of the others only their hashes are kept. */
const REVOKED = "one of your SDK keys, see Keys and tokens";

/** The command that installs the Node SDK which this server serves, so that both always match. */
export function installLine({ url }: Pick<SdkKeys, "url">): string {
  return `npm install ${base(url)}/sdk/node.tgz`;
}

/** A whole program for Node, `app.mjs`. */
export function nodeProgram(keys: SdkKeys, flag: string): string {
  return `import { createFlags } from "@signalbox/node";

const flags = createFlags({
  url: ${JSON.stringify(base(keys.url))},
  sdkKey: ${JSON.stringify(keys.server ?? REVOKED)},
  app: ${JSON.stringify(NODE_APP)},
});
await flags.ready();

function show() {
  const on = flags.isOn(${JSON.stringify(flag)}, { key: "ana" });
  console.log(${JSON.stringify(flag)}, "is", on ? "on" : "off");
}
show();
flags.on("change", show);

// Stands for the rest of your program: the flags alone keep no process running.
setInterval(() => {}, 60_000);
`;
}

/** A whole page, which can be opened as a file. */
export function browserPage(keys: SdkKeys, flag: string): string {
  return `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>${flag}</title>
  <h1 id="answer">…</h1>
  <script type="module">
    import { createFlags } from ${JSON.stringify(`${base(keys.url)}/sdk/browser.js`)};

    const flags = createFlags({
      url: ${JSON.stringify(base(keys.url))},
      sdkKey: ${JSON.stringify(keys.browser ?? REVOKED)},
      app: ${JSON.stringify(BROWSER_APP)},
      context: { key: "ana" },
    });
    await flags.ready();

    function show() {
      const on = flags.isOn(${JSON.stringify(flag)});
      document.querySelector("#answer").textContent = ${JSON.stringify(`${flag} is `)} + (on ? "on" : "off");
    }
    show();
    flags.on("change", show);
  </script>
</html>
`;
}

function base(url: string): string {
  return url.replace(/\/+$/, "");
}
