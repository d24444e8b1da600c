import { PgDatabase, PgDialect } from "drizzle-orm/pg-core";
import { PostgresJsSession } from "drizzle-orm/postgres-js/session";
import type postgres from "postgres";
import type { Log } from "../log.ts";
import type { Database, Tx } from "./database.ts";
import { StoreUnusable } from "./rows.ts";
import { isLost, sqlStateOf, UnknownOutcome } from "./sql-state.ts";

/** An open PostgreSQL database: one connection that writes, a few that read. They are made anew by themselves when they are lost. */
export interface PostgresHandle {
  /** For reading what is committed. */
  readonly db: Database;
  /** "PostgreSQL 17.6 at db.example:5432/flags" */
  readonly driver: string;
  /**
   * Runs `run` between BEGIN and COMMIT, and undoes everything if it throws. One at a time: whoever calls waits for the one before. Rejects
   * with UnknownOutcome if the connection was lost on COMMIT.
   */
  transaction<T>(run: (tx: Tx) => T | Promise<T>): Promise<T>;
  /** Runs `run` on one state of the whole database, whatever is committed meanwhile. */
  snapshot<T>(run: (db: Database) => Promise<T>): Promise<T>;
  /** Runs `run` while no other process is inside its own. */
  alone<T>(run: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const READERS_MAX = 5;
const CONNECT_SECONDS_MAX = 5;
/** Between two attempts to connect. */
const RECONNECT_SECONDS = 0.25;
/** A statement that has no answer by then has lost its connection, whatever the network says. The server gives up a little earlier. */
const STATEMENT_MS_MAX = 15_000;
/** Limits that PostgreSQL itself keeps. A process that stands still inside a transaction must not lock the others out for long. */
const SESSION = { statement_timeout: 12_000, lock_timeout: 5_000, idle_in_transaction_session_timeout: 10_000, timezone: "UTC" };
/** Statements up to this length are prepared once for each connection: longer ones are of many rows, and each is different. */
const PREPARED_LENGTH_MAX = 2_000;
/** Any number of our own, the same in every Signalbox. */
const ALONE = 7_261_846_001;

type Client = postgres.Sql;
/** What drizzle needs of it. */
interface Connection {
  unsafe(...call: Parameters<postgres.Sql["unsafe"]>): ReturnType<postgres.Sql["unsafe"]>;
}

/** Opens the database of an address such as postgres://user:password@host:5432/name. Throws StoreUnusable, never with the password. */
export async function openPostgres(url: string, log?: Pick<Log, "warn">): Promise<PostgresHandle> {
  const connect = await loadDriver();
  const where = placeOf(url);
  const client = (max: number, session: Readonly<Record<string, string | number>>, onclose: () => void): Client =>
    connect(url, {
      max,
      // Never in the middle of a transaction.
      max_lifetime: null,
      onclose,
      connect_timeout: CONNECT_SECONDS_MAX,
      backoff: () => RECONNECT_SECONDS,
      connection: { application_name: "signalbox", ...session },
      types: TYPES,
      onnotice: () => {},
      fetch_types: false,
    });
  const readers = lasting((onclose) => client(READERS_MAX, SESSION, onclose));
  let others: Lasting[] = [];
  try {
    const [about] = await readers.current.unsafe<{ version: string; number: string; commit: string; fsync: string }[]>(
      "select current_setting('server_version') as version, current_setting('server_version_num') as number, current_setting('synchronous_commit') as commit, current_setting('fsync') as fsync",
    );
    if (!about || Number(about.number) < 150_000) {
      throw new StoreUnusable(`The database at ${where} is PostgreSQL ${about?.version}, and Signalbox needs 15 or later: upgrade it.`);
    }
    if (about.fsync === "off")
      log?.warn({ database: where }, "fsync is off in this PostgreSQL: a power cut may lose what was acknowledged");
    // Acknowledged means durable, whatever the database's default is.
    const durable = about.commit === "off" ? { ...SESSION, synchronous_commit: "on" } : SESSION;
    const writer = lasting((onclose) => client(1, durable, onclose));
    const snapshots = lasting((onclose) => client(1, SESSION, onclose));
    others = [writer, snapshots];
    const [oneByOne, readOneByOne] = [inLine(), inLine()];
    return {
      db: databaseOn(watched({ unsafe: (...call) => readers.current.unsafe(...call) }, readers.giveUp)),
      driver: `PostgreSQL ${about.version.split(" ")[0]} at ${where}`,
      transaction: (run) => oneByOne(() => transactionOn(writer, "begin", run)),
      snapshot: (run) => readOneByOne(() => transactionOn(snapshots, "begin isolation level repeatable read read only", run)),
      async alone(run) {
        // Without limits: another process may take its time to start.
        const one = client(1, { timezone: "UTC" }, () => {});
        try {
          const done = await one.begin(async (connection) => {
            await connection.unsafe(`select pg_advisory_xact_lock(${ALONE})`);
            return { result: await run() };
          });
          return done.result;
        } finally {
          await one.end({ timeout: 0 });
        }
      },
      async close() {
        await oneByOne(async () => {});
        await Promise.all([readers, ...others].map((each) => each.close(1)));
      },
    };
  } catch (error) {
    await Promise.all([readers, ...others].map((each) => each.close(0)));
    throw unusable(error, where);
  }
}

/**
 * The driver's client, and a new one in its place when it has lost a connection or gets no answer any more. The driver (3.4.9) would connect
 * again by itself, but a connection that was cut while it was written to never sends anything again.
 */
interface Lasting {
  readonly current: Client;
  giveUp(): void;
  close(seconds: number): Promise<void>;
}

function lasting(make: (onclose: () => void) => Client): Lasting {
  let closed = false;
  let current = begin();
  function begin(): Client {
    const mine: Client = make(() => {
      if (mine === current) giveUp();
    });
    return mine;
  }
  function giveUp(): void {
    if (closed) return;
    const old = current;
    current = begin();
    void old.end({ timeout: 0 });
  }
  return {
    get current() {
      return current;
    },
    giveUp,
    async close(seconds) {
      closed = true;
      await current.end({ timeout: seconds });
    },
  };
}

/** Runs one job after the other. */
function inLine(): <T>(job: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (job) => {
    const next = last.then(job);
    last = next.catch(() => {});
    return next;
  };
}

/**
 * A transaction over the only connection of a client. Not the driver's own, which sends ROLLBACK over a connection that is gone: that ends the
 * process.
 */
async function transactionOn<T>(on: Lasting, begin: string, run: (db: Database) => T | Promise<T>): Promise<T> {
  const client = on.current;
  let state = "open" as "open" | "committing" | "over";
  const connection = watched(
    {
      unsafe(...call) {
        if (state === "over") throw new Error("the transaction of this statement is over");
        // On a new connection it would be stored on its own.
        if (on.current !== client) throw new Lost("the connection of this transaction was lost");
        return client.unsafe(...call);
      },
    },
    on.giveUp,
  );
  try {
    await connection.unsafe(begin);
    const result = await run(databaseOn(connection));
    const committed = connection.unsafe("commit");
    state = "committing";
    const { command } = await committed;
    // What PostgreSQL answers to the commit of a transaction in which a statement has failed.
    if (command !== "COMMIT") throw new Error(`the transaction ended with ${command}`);
    return result;
  } catch (error) {
    if (state === "committing" && isLost(error)) throw new UnknownOutcome("the connection was lost on COMMIT", { cause: error });
    if (isLost(error)) on.giveUp();
    else await connection.unsafe("rollback").catch(on.giveUp);
    throw error;
  } finally {
    state = "over";
  }
}

class Lost extends Error {
  readonly code = "CONNECTION_CLOSED";
}

async function loadDriver(): Promise<typeof postgres> {
  try {
    return (await import("postgres")).default;
  } catch (error) {
    throw new StoreUnusable('The driver "postgres" is not installed: run "npm install" again without --omit=optional.', { cause: error });
  }
}

/**
 * The values of columns as SQLite gives and takes them, since queries are made with the tables of SQLite, whatever database they are asked of:
 * truth is 1 or 0, JSON is a text, and whole numbers are numbers.
 */
const TYPES = {
  bigint: { to: 20, from: [20, 1700], parse: Number, serialize: String },
  bool: {
    to: 16,
    from: [16],
    parse: (text: string) => (text === "t" ? 1 : 0),
    serialize: (value: unknown) => (value === 1 || value === true ? "t" : "f"),
  },
  json: { to: 114, from: [114, 3802], parse: (text: string) => text, serialize: (text: string) => text },
};

type JsSession = PostgresJsSession<postgres.Sql, Record<string, never>, Record<string, never>>;

class Session extends PostgresJsSession<postgres.Sql, Record<string, never>, Record<string, never>> {
  override prepareQuery(...[query, fields, , ...rest]: Parameters<JsSession["prepareQuery"]>) {
    // Prepared is what is short: a statement that is known needs one way there and back, any other two.
    const name = query.sql.length <= PREPARED_LENGTH_MAX ? "prepared" : undefined;
    const prepared = super.prepareQuery(query, fields, name, ...rest);
    // Drizzle would put the values into the message of an error, and from there into the log: names, hashes of passwords.
    return Object.assign(prepared, { queryWithCache: (_query: string, _values: unknown, run: () => Promise<unknown>) => run() }) as never;
  }
}

function databaseOn(connection: Connection): Database {
  const dialect = new PgDialect();
  return new PgDatabase(dialect, new Session(connection as unknown as postgres.Sql, dialect, undefined), undefined) as unknown as Database;
}

/** Calls `giveUp` when a statement has no answer after STATEMENT_MS_MAX. */
function watched(connection: Connection, giveUp: () => void): Connection {
  return {
    unsafe(...call) {
      const answer = connection.unsafe(...call);
      const timer = setTimeout(giveUp, STATEMENT_MS_MAX);
      const stop = () => clearTimeout(timer);
      answer.then(stop, stop);
      return answer;
    },
  };
}

/** Host, port and name of the database, and nothing else of the address: that would be the password. */
export function placeOf(url: string): string {
  if (!URL.canParse(url)) return "the address in DATABASE_URL";
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}:${port || 5432}${pathname}`;
}

/** What opening a database throws, as a sentence for the person who starts it. */
function unusable(error: unknown, where: string): unknown {
  if (error instanceof StoreUnusable) return error;
  const state = sqlStateOf(error);
  const options = { cause: error };
  if (/^28/.test(state))
    return new StoreUnusable(`The database at ${where} refuses this user or password (${state}): check DATABASE_URL.`, options);
  if (state === "3D000")
    return new StoreUnusable(`There is no database at ${where} (${state}): make it with createdb, or check DATABASE_URL.`, options);
  if (isLost(error) || state.startsWith("53")) {
    return new StoreUnusable(`The database at ${where} cannot be reached (${state}): check that it runs, and DATABASE_URL.`, options);
  }
  return error;
}
