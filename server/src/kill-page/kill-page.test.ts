import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AccountList } from "../api-types.ts";
import { cookieOf, NAME, PASSWORD, startTestServer, type TestServer } from "../http/test-server.ts";

let server: TestServer;
let cookie: string;
beforeAll(async () => {
  server = await startTestServer();
  cookie = await server.signIn();
  await server.flag("new-search");
});
afterAll(() => server.close());

const get = (path: string, headers: Record<string, string> = { cookie }) => fetch(server.url + path, { headers, redirect: "manual" });

function post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
  return fetch(server.url + path, {
    method: "POST",
    redirect: "manual",
    headers: { "content-type": "application/x-www-form-urlencoded", origin: server.url, cookie, ...headers },
    body: new URLSearchParams(fields).toString(),
  });
}

/** The hidden fields of the form on a page, as a browser without JavaScript would send them. */
function hiddenFields(page: string): Record<string, string> {
  return Object.fromEntries(
    [...page.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value]),
  );
}

const confirmPath = (verb: string, flag = "new-search") => `/kill/confirm?project=default&environment=production&flag=${flag}&do=${verb}`;

async function press(verb: "kill" | "restore", reason = ""): Promise<Response> {
  const page = await (await get(confirmPath(verb))).text();
  return post("/kill/do", { ...hiddenFields(page), reason });
}

describe("/kill", () => {
  it("asks to sign in, and then shows the page that was asked for", async () => {
    const asked = await get(confirmPath("kill"), {});
    const { next = "" } = hiddenFields(await asked.text());
    const signedIn = await post("/kill/sign-in", { name: NAME, password: PASSWORD, next: next.replaceAll("&amp;", "&") }, { cookie: "" });
    expect([signedIn.status, signedIn.headers.get("location")]).toEqual([303, confirmPath("kill")]);
    const page = await (await get(confirmPath("kill"), { cookie: cookieOf(signedIn) })).text();
    expect(page).toContain("Kill new-search in PRODUCTION");
  });

  it("says that name or password is wrong, with the form again", async () => {
    const answer = await post("/kill/sign-in", { name: NAME, password: "wrong" }, { cookie: "" });
    expect([answer.status, answer.headers.get("set-cookie")]).toEqual([401, null]);
    expect(await answer.text()).toMatch(/The name or the password is wrong\.[\s\S]*name="password"/);
  });

  it.each(["https://evil.example/", "//evil.example", "/kill/../../x", "/kill?a\\b", "javascript:alert(1)"])(
    "never sends anybody to %s after signing in",
    async (next) => {
      const answer = await post("/kill/sign-in", { name: NAME, password: PASSWORD, next }, { cookie: "" });
      expect(answer.headers.get("location")).toBe("/kill");
    },
  );

  it("shows the environment that an address names, also without a project, and says when there is none", async () => {
    const page = await (await get("/kill?environment=development")).text();
    expect(page).toContain("/kill/confirm?project=default&amp;environment=development&amp;flag=new-search&amp;do=kill");
    expect(page).not.toContain("environment=production&amp;flag=");
    const wrong = await get("/kill?environment=nowhere");
    expect([wrong.status, await wrong.text()]).toEqual([404, expect.stringContaining("nowhere")]);
  });

  it("kills in two presses, tells who has applied it, and restores", async () => {
    expect(await (await get("/kill")).text()).toContain(
      "/kill/confirm?project=default&amp;environment=production&amp;flag=new-search&amp;do=kill",
    );
    const killed = await press("kill", "it burns");
    expect(killed.status).toBe(303);
    const receipt = await (await get(killed.headers.get("location") ?? "")).text();
    expect(receipt).toContain('<span class="key">new-search</span> is killed in PRODUCTION');
    expect(receipt).toContain("No program is connected; each will apply it when it connects");
    expect(receipt).not.toContain("http-equiv");
    expect(await (await get(confirmPath("restore"))).text()).toContain(`killed by ${NAME}: “it burns”`);

    expect((await press("restore")).status).toBe(303);
    expect(await (await get(confirmPath("restore"))).text()).toContain("It is not killed.");
  });

  it("asks again by itself while a program has not answered, and then names it", async () => {
    const { server: key } = (await (await get("/api/v1/projects/default/environments/production/sdk-keys")).json()) as { server: string };
    const leaving = new AbortController();
    const stream = await fetch(`${server.url}/sdk/v1/stream?app=shop&instance=shop-1`, {
      headers: { authorization: `Bearer ${key}` },
      signal: leaving.signal,
    });
    try {
      const location = (await press("kill")).headers.get("location") ?? "";
      const first = await (await get(location)).text();
      expect(first).toContain("0 of 1 connected program");
      const [, again = ""] = /http-equiv="refresh" content="1; url=([^"]+)"/.exec(first) ?? [];
      const revision = Number(new URLSearchParams(location.split("?")[1]).get("revision"));
      const { generation } = (await (
        await fetch(`${server.url}/sdk/v1/state`, { headers: { authorization: `Bearer ${key}` } })
      ).json()) as { generation: number };
      await fetch(`${server.url}/sdk/v1/ack`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify({ instance: "shop-1", generation, revision }),
      });
      const second = await (await get(again.replaceAll("&amp;", "&"))).text();
      expect(second).toMatch(/1 of 1 connected programs? ha(s|ve) applied it, slowest \d+(\.\d)? ms/);
      expect(second).not.toContain("http-equiv");
    } finally {
      leaving.abort();
      await stream.body?.cancel().catch(() => undefined); // aborted on purpose
      await press("restore");
    }
  });

  it.each([
    ["without its token", { csrf: "" }, {}],
    ["with another session's token", { csrf: "x".repeat(43) }, {}],
    ["from another origin", {}, { origin: "https://evil.example" }],
    ["from a page whose origin is hidden", {}, { origin: "null" }],
    ["from another site by its own word", {}, { "sec-fetch-site": "cross-site" }],
  ])("refuses a form %s and changes nothing", async (_, fields, headers: Record<string, string>) => {
    const form = hiddenFields(await (await get(confirmPath("kill"))).text());
    const answer = await post("/kill/do", { ...form, reason: "", ...fields }, headers);
    expect(answer.status).toBe(403);
    expect(await (await get(confirmPath("kill"))).text()).toContain('class="state on"');
  });

  it.each([
    ["a flag that is not there", confirmPath("kill", "nope"), 404],
    ["an environment that is not there", confirmPath("kill").replace("production", "moon"), 404],
    ["no flag", "/kill/confirm?project=default&environment=production&do=kill", 400],
    ["another verb", confirmPath("delete"), 400],
    ["a revision that is no number", "/kill/receipt?project=default&environment=production&flag=a&do=kill&changed=yes&revision=x", 400],
  ])("answers %s with a page", async (_, path, status) => {
    const answer = await get(path);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([status, "text/html; charset=UTF-8"]);
    expect(await answer.text()).toContain('role="alert"');
  });

  it("escapes what people wrote", async () => {
    const evil = '"><script>alert(1)</script>';
    const page = await (await get(`/kill?search=${encodeURIComponent(evil)}`)).text();
    expect(page).not.toContain("<script");
    await press("kill", evil);
    expect(await (await get(confirmPath("restore"))).text()).not.toContain("<script");
    await press("restore");
  });

  it("runs no script, shows in no frame and is kept by no cache", async () => {
    const { headers } = await get("/kill");
    expect(headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; style-src 'nonce-[^']+'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
    );
    expect([headers.get("cache-control"), headers.get("referrer-policy")]).toEqual(["no-store", "same-origin"]);
  });

  it("shows somebody only the places that they may see, and no button that would be refused", async () => {
    const admin = await server.signIn();
    const roles = [
      { role: "viewer", project: "default", environment: "production" },
      { role: "operator", project: "default", environment: "development" },
    ];
    const invited = (await (await server.send("POST", "/api/v1/invitations", admin, { roles })).json()) as { url: string };
    const [, token = ""] = invited.url.split("#token=");
    const accept = { token, name: "ben", password: PASSWORD };
    const own = { cookie: cookieOf(await server.send("POST", "/api/v1/invitations/accept", "", accept)) };
    const first = await (await get("/kill", own)).text();
    // Where they may kill, although production goes before elsewhere.
    expect(first).toMatch(/aria-current="page">development/);
    expect(first).toContain('aria-label="Kill new-search"');
    const production = await (await get("/kill?project=default&environment=production", own)).text();
    expect(production).toContain("You may not kill or restore in PRODUCTION");
    expect(production).not.toContain('aria-label="Kill');
    const asked = await (await get(confirmPath("kill"), own)).text();
    expect(asked).not.toContain('name="flag"');
    const { csrf = "" } = hiddenFields(first);
    const form = { csrf, project: "default", environment: "production", flag: "new-search", do: "kill", reason: "" };
    const forced = await post("/kill/do", form, own);
    expect([forced.status, await forced.text()]).toEqual([403, expect.stringContaining("needs the right to kill in default/production")]);
    const [ben] = ((await (await server.send("GET", "/api/v1/accounts", admin)).json()) as AccountList).accounts.filter(
      ({ name }) => name === "ben",
    );
    for (const { id, environment } of ben?.roles ?? []) {
      if (environment === "production") await server.send("DELETE", `/api/v1/accounts/ben/roles/${id}`, admin);
    }
    const gone = await get("/kill?project=default&environment=production", own);
    const never = await get("/kill?project=default&environment=moon", own);
    const alert = (text: string) => /<p class="failure" role="alert">(.*?)<\/p>/.exec(text)?.[1];
    expect([gone.status, never.status]).toEqual([404, 404]);
    expect(alert(await gone.text())).toBe(alert(await never.text())?.replaceAll("moon", "production"));
    expect(await (await get("/kill", own)).text()).not.toMatch(/PRODUCTION|production</);
  });

  it("signs out", async () => {
    const own = await server.signIn();
    const { csrf = "" } = hiddenFields(await (await get("/kill", { cookie: own })).text());
    expect((await post("/kill/sign-out", { csrf }, { cookie: own })).status).toBe(303);
    expect(await (await get("/kill", { cookie: own })).text()).toContain("Sign in to kill");
  });
});
