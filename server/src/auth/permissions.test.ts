import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ACTIONS, EVERYTHING, type Grant, may, mayGrant, type Place, permits } from "./permissions.ts";

const ROLES = ["viewer", "editor", "releaser", "operator", "admin", "kill"] as const;
const id = fc.option(fc.integer({ min: 1, max: 3 }), { nil: null });
/** An environment belongs to one project: 11, 12, 13 to 1, and so on. */
const spot = fc
  .tuple(id, id)
  .map(([projectId, nth]) => ({ projectId, environmentId: projectId === null || nth === null ? null : projectId * 10 + nth }));
const grant: fc.Arbitrary<Grant> = fc
  .record({ role: fc.constantFrom(...ROLES), spot, flags: fc.option(fc.subarray(["a", "b"]), { nil: null }) })
  .map(({ role, spot, flags }) => ({ role, ...spot, ...(role === "kill" && { flags }) }));
const place: fc.Arbitrary<Place> = fc
  .record({ spot, production: fc.boolean(), flag: fc.constantFrom("a", "b", "c", undefined) })
  .map(({ spot, ...rest }) => ({ ...spot, ...rest }));
const grants = fc.array(grant, { maxLength: 4 });
const action = fc.constantFrom(...ACTIONS);

describe("the roles", () => {
  const DEV = { projectId: 1, environmentId: 11, production: false };
  const LIVE = { projectId: 1, environmentId: 12, production: true };
  it.each([
    ["viewer", "read", "read"],
    ["editor", "read edit kill restore", "read"],
    ["releaser", "read edit kill restore", "read edit kill restore"],
    ["operator", "read kill restore", "read kill restore"],
    ["admin", "read edit kill restore admin", "read edit kill restore admin"],
    ["kill", "read kill", "read kill"],
  ] as const)("%s may %s, in production %s", (role, elsewhere, production) => {
    const held = [{ role, projectId: 1, environmentId: null }];
    const allowed = (there: Place) => ACTIONS.filter((each) => permits(held, each, there)).join(" ");
    expect([allowed(DEV), allowed(LIVE)]).toEqual([elsewhere, production]);
    expect(allowed({ ...DEV, projectId: 2, environmentId: 21 })).toBe("");
    expect(allowed(EVERYTHING)).toBe("");
  });

  it("of one environment say nothing of another, nor of the whole project", () => {
    const held: Grant[] = [{ role: "admin", projectId: 1, environmentId: 11 }];
    expect(permits(held, "read", DEV)).toBe(true);
    expect(permits(held, "read", LIVE)).toBe(false);
    expect(permits(held, "read", { projectId: 1, environmentId: null, production: false })).toBe(false);
  });

  it("for killing certain flags kill these and no others, nor all at once", () => {
    const held: Grant[] = [{ role: "kill", projectId: null, environmentId: null, flags: ["checkout"] }];
    expect(permits(held, "kill", { ...LIVE, flag: "checkout" })).toBe(true);
    expect(permits(held, "kill", { ...LIVE, flag: "search" })).toBe(false);
    expect(permits(held, "kill", LIVE)).toBe(false);
    expect(permits(held, "read", { ...LIVE, flag: "search" })).toBe(true);
  });
});

describe("permits", () => {
  it("is the sum of what each grant permits, so that one more never takes anything away", () => {
    fc.assert(
      fc.property(grants, action, place, (held, what, where) => {
        expect(permits(held, what, where)).toBe(held.some((one) => permits([one], what, where)));
      }),
    );
  });

  it("permits reading wherever it permits anything", () => {
    fc.assert(
      fc.property(grants, action, place, (held, what, where) => {
        if (permits(held, what, where)) expect(permits(held, "read", where)).toBe(true);
      }),
    );
  });

  it("permits outside production whatever it does inside", () => {
    fc.assert(
      fc.property(grants, action, place, (held, what, where) => {
        if (permits(held, what, { ...where, production: true })) expect(permits(held, what, { ...where, production: false })).toBe(true);
      }),
    );
  });

  it("reaches from the server to its projects and from a project to its environments, never up or sideways", () => {
    fc.assert(
      fc.property(grant, action, place, (one, what, where) => {
        if (!permits([one], what, where)) return;
        if (one.projectId !== null) expect(where.projectId).toBe(one.projectId);
        if (one.environmentId !== null) expect(where.environmentId).toBe(one.environmentId);
      }),
    );
  });

  it("lets a token for killing neither restore nor edit", () => {
    fc.assert(
      fc.property(grant, place, (one, where) => {
        const killing = { ...one, role: "kill" as const };
        for (const what of ["edit", "restore", "admin"] as const) expect(permits([killing], what, where)).toBe(false);
      }),
    );
  });
});

describe("may", () => {
  it("is never more than the grants, nor than the limit", () => {
    fc.assert(
      fc.property(grants, grant, action, place, (held, limit, what, where) => {
        const both = permits(held, what, where) && permits([limit], what, where);
        expect(may({ grants: held, limit }, what, where)).toBe(both);
        expect(may({ grants: held }, what, where)).toBe(permits(held, what, where));
      }),
    );
  });
});

describe("mayGrant", () => {
  it("gives nothing that the giver may not do", () => {
    fc.assert(
      fc.property(grants, fc.option(grant, { nil: undefined }), grant, action, place, (held, limit, given, what, where) => {
        const giver = { grants: held, limit };
        if (mayGrant(giver, given) && permits([given], what, where)) expect(may(giver, what, where)).toBe(true);
      }),
    );
  });
});
