import { describeStore, openWith } from "./contract.ts";

describeStore("better-sqlite3", openWith("better-sqlite3"));
describeStore("libsql", openWith("libsql"));
