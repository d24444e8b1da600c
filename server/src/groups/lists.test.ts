import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Group, GroupWritten, MembersImported, Problem } from "../api-types.ts";
import { openTestStore, type TestStore } from "../delivery/test-store.ts";
import { setKilled } from "../flags/kills.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import type { Store } from "../store/store.ts";
import { createGroup } from "./decide.ts";
import { createLists } from "./lists.ts";

describe("a list as a CSV file", () => {
  let server: TestServer;
  let cookie: string;
  const groups = "/api/v1/projects/default/environments/development/groups";

  beforeAll(async () => {
    server = await startTestServer();
    cookie = await server.signIn();
  });
  afterAll(() => server.close());

  async function newGroup(key: string, kind = "list"): Promise<void> {
    expect((await server.send("POST", groups, cookie, { key, kind })).status).toBe(201);
  }
  const members = (key: string, change: object) => server.send("POST", `${groups}/${key}/members`, cookie, change);
  const upload = (key: string, csv: string | ReadableStream<Uint8Array>, query = "", type = "text/csv") =>
    fetch(`${server.url}${groups}/${key}/members/csv${query}`, {
      method: "POST",
      headers: { cookie, origin: server.url, "x-signalbox-csrf": "1", "content-type": type },
      body: csv,
      duplex: "half",
    } as RequestInit);
  const imported = async (answer: Response) => ({ status: answer.status, ...((await answer.json()) as MembersImported) });
  const file = async (key: string) => {
    const answer = await fetch(`${server.url}${groups}/${key}/members.csv`, { headers: { cookie } });
    return { type: answer.headers.get("content-type"), name: answer.headers.get("content-disposition"), text: await answer.text() };
  };
  const units = async (key: string) =>
    (await file(key)).text
      .split("\r\n")
      .slice(1, -1)
      .map((line) => line.split(",")[0]);

  test("adds, replaces and removes, each as one revision", async () => {
    await newGroup("g");
    const added = await imported(await upload("g", "ann\nbob\nann\n", "?reason=first"));
    expect(added).toMatchObject({
      status: 200,
      lines: 3,
      units: 2,
      coming: { count: 2, first: ["ann", "bob"] },
      members: 2,
      changed: true,
    });
    const replaced = await imported(await upload("g", "id,plan\ncy,pro\nbob,team\n", "?mode=replace&column=ID"));
    expect(replaced).toMatchObject({ coming: { first: ["cy"] }, going: { first: ["ann"] }, members: 2, revision: added.revision + 1 });
    const removed = await imported(await upload("g", "bob\nzed\n", "?mode=remove"));
    expect(removed).toMatchObject({ going: { count: 1, first: ["bob"] }, members: 1, revision: added.revision + 2 });
    expect(await imported(await upload("g", "cy", "?mode=replace"))).toMatchObject({ changed: false, revision: added.revision + 2 });
    expect(await units("g")).toEqual(["cy"]);
    const group = (await (await server.send("GET", `${groups}/g`, cookie)).json()) as Group;
    expect(group.members).toBe(1);
  });

  test("dry: says who would come and go and every bad line, and changes nothing", async () => {
    await newGroup("dry");
    await members("dry", { add: ["ann"] });
    const before = (await (await members("dry", { add: ["ann"] })).json()) as GroupWritten;
    const csv = `bob\n""\n${Array.from({ length: 30 }, (_, i) => `u${i}`).join("\n")}`;
    const told = await imported(await upload("dry", csv, "?mode=replace&dryRun=true"));
    expect(told).toMatchObject({ dryRun: true, coming: { count: 31 }, going: { count: 1, first: ["ann"] }, members: 31, changed: true });
    expect(told.coming.first).toHaveLength(20);
    expect(told.bad).toEqual([{ line: 2, message: "holds no unit; leave the line out" }]);
    expect(told.revision).toBe(before.revision);
    expect(await units("dry")).toEqual(["ann"]);
  });

  test("with one bad line changes nothing, and names them all", async () => {
    await newGroup("bad");
    const answer = await upload("bad", 'ann\n""\nbob\n""\n');
    const problem = (await answer.json()) as Problem;
    expect([answer.status, problem.code]).toEqual([422, "GROUP_REFUSED"]);
    expect(problem.detail).toBe("Nothing was changed: line 2 holds no unit; leave the line out. 2 lines cannot be taken.");
    expect(problem.issues?.map(({ path }) => path)).toEqual(["lines.2", "lines.4"]);
    expect(await units("bad")).toEqual([]);
  });

  test("keeps out who has left early access by themselves, unless it says that they are meant", async () => {
    await newGroup("beta", "early-access");
    const key = (await (await server.send("GET", "/api/v1/projects/default/environments/development/sdk-keys", cookie)).json()) as {
      server: string;
    };
    const headers = { authorization: `Bearer ${key.server}`, "content-type": "application/json" };
    for (const verb of ["join", "leave"]) {
      const answer = await fetch(`${server.url}/sdk/v1/early-access/beta/${verb}`, {
        method: "POST",
        headers,
        body: JSON.stringify({ unit: "ann" }),
      });
      expect(answer.status).toBe(200);
    }
    expect(await imported(await upload("beta", "ann\nbob"))).toMatchObject({
      coming: { first: ["bob"] },
      keptOut: { first: ["ann"] },
      members: 1,
    });
    expect(await imported(await upload("beta", "ann\nbob", "?rejoin=true"))).toMatchObject({ coming: { first: ["ann"] }, members: 2 });
  });

  test("is exported, in no form that a spreadsheet runs, and comes back as it was", async () => {
    await newGroup("out");
    await members("out", { add: ["=1+1", "'=1+1", "a,b", 'say "hi"', "-7", "ann"] });
    const { type, name, text } = await file("out");
    expect([type, name]).toEqual(["text/csv; charset=utf-8", 'attachment; filename="out-development.csv"']);
    expect(text.startsWith("unit,added,by\r\n''=1+1,")).toBe(true);
    expect(await imported(await upload("out", text, "?mode=replace"))).toMatchObject({ units: 6, changed: false });
  });

  test("is taken as it comes in, and refused when it is longer than a file may be", async () => {
    await newGroup("long");
    const piece = new TextEncoder().encode(`${"x".repeat(199)}\n`.repeat(5_000));
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1;
        controller.enqueue(piece);
        if (sent > 40) controller.close();
      },
    });
    const answer = await upload("long", endless).catch(() => undefined);
    // The server may close before everything is sent.
    if (answer) expect(answer.status).toBe(413);
    expect(await units("long")).toEqual([]);
  }, 30_000);

  test.each([
    ["JSON", "{}", "", "application/json", 415, "UNSUPPORTED_CONTENT_TYPE"],
    ["an unknown mode", "a", "?mode=swap", "text/csv", 400, "VALIDATION_FAILED"],
    ["a column that is not there", "a\nb", "?column=key", "text/csv", 400, "VALIDATION_FAILED"],
  ])("refuses %s", async (_what, csv, query, type, status, code) => {
    const answer = await upload("g", csv, query, type);
    expect([answer.status, ((await answer.json()) as Problem).code]).toEqual([status, code]);
  });

  test("refuses a group that is not there, and one by conditions", async () => {
    expect((await upload("nope", "ann")).status).toBe(404);
    const when = { op: "exists", attribute: "plan" };
    await server.send("POST", groups, cookie, { key: "pro", kind: "conditions", when });
    expect((await upload("pro", "ann")).status).toBe(422);
  });
});

describe("a long list", () => {
  let opened: TestStore;
  beforeAll(async () => {
    opened = await openTestStore();
    await opened.createFlag("f");
  });
  afterAll(() => opened.close());

  const place = { project: "default", environment: "development", rejoin: false };
  const many = (count: number, name = "customer") => Array.from({ length: count }, (_, i) => `${name}-${i}`);
  const newList = async (key: string) => {
    await opened.store.write({ project: "default", by: "ada" }, (current) =>
      createGroup(current, "development", { key, kind: "list" }, "0".repeat(32)),
    );
  };
  /** The real store, which tells when the decision of a write is made. */
  const watched = (decided: () => void): Store => ({
    ...opened.store,
    write: (request, decide) =>
      opened.store.write(request, (current, tx, turn) => {
        decided();
        return decide(current, tx, turn);
      }),
  });
  const kill = (killed: boolean) =>
    opened.store.write({ project: "default", by: "ops", lane: "kill" }, (current) =>
      setKilled(current, "development", "f", killed ? { at: current.now, by: "ops", reason: null } : null),
    );
  const revision = () => opened.store.feed.state(opened.development.id, "server").revision;

  test("lets a kill go first that comes while its rows are written, and is whole afterwards", async () => {
    await newList("long");
    let killedAt: number | undefined;
    let attempts = 0;
    const lists = createLists(
      watched(() => {
        attempts += 1;
        if (attempts === 1) {
          void kill(true).then(() => {
            killedAt = revision();
          });
        }
      }),
    );
    const before = revision();
    const { members } = await lists.change({ ...place, group: "long", mode: "add", units: many(20_000) }, { by: "ada" });
    expect([members, attempts]).toEqual([20_000, 2]);
    expect([killedAt, revision()]).toEqual([before + 1, before + 2]);
    const again = await opened.reopen(); // compares the rows with the digests
    opened = again;
    expect(opened.store.project("default")?.environments[0]?.groups.get("long")?.list).toHaveLength(20_000);
  }, 60_000);

  test("is compared once more when somebody else changes the group meanwhile, and loses nothing of theirs", async () => {
    await newList("shared");
    const other = createLists(opened.store);
    let attempts = 0;
    const lists = createLists({
      ...opened.store,
      write: async (request, decide) => {
        attempts += 1;
        if (attempts === 1) await other.change({ ...place, group: "shared", mode: "add", units: ["theirs"] }, { by: "bob" });
        return opened.store.write(request, decide);
      },
    });
    const { members } = await lists.change({ ...place, group: "shared", mode: "add", units: many(10, "ours") }, { by: "ada" });
    expect([attempts, members]).toEqual([2, 11]);
  });

  test("is refused while two others are read", async () => {
    await newList("busy");
    const lists = createLists(opened.store);
    const request = { ...place, group: "busy", mode: "add", units: many(3_000) } as const;
    const [first, second] = [lists.preview(request), lists.preview(request)];
    await expect(lists.preview(request)).rejects.toMatchObject({ code: "OVERLOADED" });
    await Promise.all([first, second]);
  });
});
