import { describe, expect, it } from "vitest";
import type { Environment, Project } from "../../../src/api-types.ts";
import { grantablePlaces, placeWords } from "./people.ts";

const environment = (key: string, may: Environment["may"]): Environment => {
  return { key, name: key.toUpperCase(), production: key === "live", color: "red", generation: 1, revision: 0, may };
};
const shop: Project = {
  key: "shop",
  name: "Shop",
  may: ["read"],
  environments: [environment("dev", ["read", "admin"]), environment("live", ["read"])],
};

describe("placeWords", () => {
  it("names a place as people do, and by its key what the reader cannot see", () => {
    expect(placeWords({ project: null, environment: null }, [shop])).toBe("everywhere");
    expect(placeWords({ project: "shop", environment: null }, [shop])).toBe("Shop");
    expect(placeWords({ project: "shop", environment: "live" }, [shop])).toBe("Shop, LIVE");
    expect(placeWords({ project: "bank", environment: "live" }, [shop])).toBe("bank, live");
  });
});

describe("grantablePlaces", () => {
  it("offers only places of which somebody is an admin", () => {
    expect(grantablePlaces({ may: ["read"] }, [shop]).map(({ label }) => label)).toEqual(["Shop, DEV"]);
    const all = { ...shop, may: ["admin" as const] };
    expect(grantablePlaces({ may: ["admin"] }, [all]).map(({ label }) => label)).toEqual(["everywhere", "Shop", "Shop, DEV"]);
    expect(grantablePlaces(null, [])).toEqual([]);
  });
});
