import { account } from "./account.ts";
import { backup } from "./backup.ts";
import { killOrRestore, list, type Output, show } from "./commands.ts";
import { effect, explain } from "./explain.ts";
import { fleet } from "./fleet.ts";
import { audit, erase, history, revert } from "./history.ts";
import type { Input } from "./input.ts";
import { sdkKey, token } from "./keys.ts";
import { members } from "./members.ts";
import type { Options } from "./options.ts";
import { compare, promote } from "./promote.ts";
import { settings } from "./settings.ts";
import { exportProject, importProject } from "./transfer.ts";
import { usage } from "./usage.ts";

export interface Command {
  /** How many words may follow the command. */
  readonly words: number;
  /** What is typed, and what it does, on one line or more. */
  readonly help: readonly (readonly [typed: string, does: string])[];
  run(options: Options, output: Output, input: Input, env: NodeJS.ProcessEnv): Promise<number>;
}

/** Flags in one command line. */
const SEVERAL = 1_000;

/** Every command, in the order of the help. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  serve: {
    words: 0,
    help: [["serve", "runs the server (PORT, HOST, SIGNALBOX_DATA, SIGNALBOX_PUBLIC_URL)"]],
    // Only the server needs what it imports: the other commands answer at once, on a machine without SQLite too.
    run: async (_options, _output, _input, env) => (await import("../main.ts")).serve(env),
  },
  list: {
    words: 0,
    help: [["list -e ENVIRONMENT", "flags with their state; also by --search, --tag, --owner, --state killed"]],
    run: list,
  },
  fleet: { words: 1, help: [["fleet [-e ENVIRONMENT]", "programs: connected, silent, polling, how far behind"]], run: fleet },
  show: { words: 1, help: [["show KEY -e ENVIRONMENT", "one flag: state, rules, who changed it last"]], run: show },
  usage: {
    words: 1,
    help: [["usage KEY -e ENVIRONMENT", "what it served in the last hour, and whether a kill took effect"]],
    run: usage,
  },
  explain: {
    words: 1,
    help: [["explain KEY -e ENVIRONMENT --context JSON", "why it answers as it does for one context"]],
    run: explain,
  },
  effect: {
    words: 1,
    help: [["effect KEY -e ENVIRONMENT --percent 25", "who would gain and who would lose it; nothing is saved"]],
    run: effect,
  },
  kill: {
    words: SEVERAL,
    help: [
      ["kill KEY... -e ENVIRONMENT -m TEXT", "everybody gets the off variant at once; waits for the receipt"],
      ["kill --tag TAG -e ENVIRONMENT -m TEXT", "the same for all flags with a tag, as one change"],
    ],
    run: (options, output) => killOrRestore("kill", options, output),
  },
  restore: {
    words: SEVERAL,
    help: [["restore KEY... -e ENVIRONMENT -m TEXT", "lifts the kill, also by --tag; waits for the receipt"]],
    run: (options, output) => killOrRestore("restore", options, output),
  },
  history: {
    words: 1,
    help: [["history [KEY] -e ENVIRONMENT", "what was changed, by whom and why, newest first; --change REVISION shows one whole"]],
    run: history,
  },
  revert: {
    words: 1,
    help: [
      [
        "revert KEY --to REVISION -e ENVIRONMENT",
        "gives a flag the configuration that it had then; a kill stays; --dry-run says what would change",
      ],
      ["revert --change REVISION -e ENVIRONMENT", "takes one change back, if nothing has changed it since"],
      ["revert --to REVISION|TIME -e ENVIRONMENT", "takes the whole environment back; kills and sign-ups stay"],
    ],
    run: revert,
  },
  audit: {
    words: 1,
    help: [
      ["audit verify", "goes through the chain of hashes; exit code 2 if a row was changed, taken out, moved or cut off; --head HASH"],
      ["audit export", "prints all of it as lines of JSON, or with --format csv; --project: of one project"],
    ],
    run: audit,
  },
  erase: {
    words: 1,
    help: [
      ["erase NAME", "erases the name of a deleted account everywhere; the audit stays valid"],
      ["erase --unit UNIT", "takes somebody out of every list and program, and forgets that they were there"],
    ],
    run: erase,
  },
  compare: {
    words: 1,
    help: [["compare [KEY] --from ENVIRONMENT --to ENVIRONMENT", "what two environments have differently; exit code 2 if something is"]],
    run: compare,
  },
  promote: {
    words: 1_000,
    help: [
      [
        "promote KEY... --from ENVIRONMENT --to ENVIRONMENT",
        "copies configurations as one revision; --group KEY copies conditions of a group too; --dry-run says what would change",
      ],
    ],
    run: promote,
  },
  export: {
    words: 0,
    help: [["export --project PROJECT", "prints the project as one file; --members clear tells who is in groups"]],
    run: exportProject,
  },
  import: {
    words: 1,
    help: [
      [
        "import FILE --project PROJECT",
        "takes such a file into a project, all or nothing; --dry-run says what would change; --mode replace also archives what it does not name",
      ],
    ],
    run: importProject,
  },
  members: {
    words: 1_000,
    help: [
      ["members list GROUP -e ENVIRONMENT", "who is in a group by list or of early access"],
      ["members add|remove GROUP UNIT... -e ENVIRONMENT", "puts units in, takes them out"],
      [
        "members import GROUP -e ENVIRONMENT --file FILE",
        "a CSV file, all or nothing; --mode add, replace or remove; --column NAME; --dry-run says what it would do",
      ],
      ["members export GROUP -e ENVIRONMENT", "prints them as a CSV file, which can be imported again"],
    ],
    run: members,
  },
  settings: {
    words: 1,
    help: [
      ["settings -e ENVIRONMENT", "secure mode, private attributes, sampling of contexts"],
      [
        "settings NAME=VALUE -e ENVIRONMENT",
        "sets one: secure-mode=on, private-attributes=email,salary, sample-contexts=off, signing-secret=rotate, signing-secret=retire-old",
      ],
      ["settings signing-secret -e ENVIRONMENT", "prints the signing secrets that hold, newest first"],
    ],
    run: settings,
  },
  "sdk-key": {
    words: 2,
    help: [
      ["sdk-key list -e ENVIRONMENT", "the SDK keys that hold, when they were used and which programs come with them"],
      ["sdk-key create NAME -e ENVIRONMENT", "makes one and prints it; --kind browser --origin https://shop.example; --days"],
      ["sdk-key rotate ID -e ENVIRONMENT", "makes one in its place; the old one holds until it is revoked, or for --old-hours"],
      ["sdk-key revoke ID -e ENVIRONMENT -m TEXT", "it is refused at once, and its streams end"],
    ],
    run: sdkKey,
  },
  token: {
    words: 2,
    help: [
      ["token list", "your own tokens, and those of services where you are an admin"],
      [
        "token create NAME --scope SCOPE",
        "makes one and prints it; --project, -e: where it holds; --kind service; --days; --flag KEY: with the scope kill the only flags that it may kill",
      ],
      ["token rotate ID", "makes one in its place; the old one holds until it is revoked, or for --old-hours"],
      ["token revoke ID -m TEXT", "it is refused at once"],
    ],
    run: token,
  },
  account: {
    words: 2,
    help: [["account reset-password NAME", "for whoever is locked out: a link for a new password; the server must be stopped"]],
    run: (options, output, _input, env) => account(options, output, env),
  },
  backup: {
    words: 2,
    help: [
      ["backup create FILE", "the data folder (SIGNALBOX_DATA) as one file, while the server may run; proved"],
      ["backup verify FILE", "reads a backup as a start would, and proves its digests and its audit"],
      ["backup restore FILE", "puts it in the place of the data folder's database; the server must be stopped"],
    ],
    run: (options, output, _input, env) => backup(options, output, env),
  },
};

/** Columns of what is typed; a longer one has the line to itself. */
const TYPED_WIDTH = 42;
const LINE_WIDTH = 120;

function helpLines(): string[] {
  return Object.values(COMMANDS).flatMap(({ help }) =>
    help.flatMap(([typed, does]) => {
      const [first = "", ...more] = wrapped(does, LINE_WIDTH - TYPED_WIDTH);
      const head = `  signalbox ${typed}`;
      const indent = " ".repeat(TYPED_WIDTH);
      const rest = more.map((line) => indent + line);
      return head.length < TYPED_WIDTH - 1 ? [head.padEnd(TYPED_WIDTH) + first, ...rest] : [head, indent + first, ...rest];
    }),
  );
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

export const HELP = `signalbox: feature flags whose kill-switches reach every process within a second

${helpLines().join("\n")}

Options
  -e, --environment   the environment; kill and restore never guess it
  -m, --message       the reason, kept in the audit
      --context       a context as JSON, @FILE, or - for the standard input: '{"key":"u1","plan":"pro"}'
      --set           unsaved edits as JSON, @FILE or -: fields of the configuration (explain, effect)
      --percent       unsaved edit: the percentage of the last rule without conditions (effect)
      --contexts      FILE or -: contexts to compare, a JSON list or one on each line, at most 10,000;
                      without it 10,000 are made up (effect)
      --to            a revision or a time to go back to: 120, 2026-12-01T18:00:00Z (revert)
      --change        the revision of one change (history, revert)
      --before        only older changes than this revision (history); --limit: how many
      --head          a hash that an earlier "audit verify" printed (audit)
      --format        json or csv (audit export)
      --folder        a data folder that is read instead of asking the server (audit verify)
      --unit          the key of a person in groups (erase)
      --from, --to    the environments that are compared, or from which and to which is copied
      --group         a group by conditions that is copied too; once for each (promote)
      --file          FILE or -: what to import
      --mode          what an import does: add (default), replace or remove (members); merge (default) or replace (import)
      --members       who is in groups: none (default), hashes or clear (export)
      --reuse         makes flags also under keys that deleted flags had (import)
      --column        the column of units in the first line of the file (members)
      --rejoin        adds also those who have left early access by themselves (members)
      --kind          personal or service (token), server or browser (sdk-key)
      --scope         viewer, editor, releaser, operator, admin, or kill (token)
      --flag          a flag that a token may kill; once for each (token)
      --origin        of pages that may use a browser key; once for each (sdk-key)
      --days          a new token or SDK key ends after so many
      --old-hours     the one before a rotation ends after so many
      --dry-run       says what would change and changes nothing
      --url           the server (or SIGNALBOX_URL; default http://localhost:7070)
      --token         a token (or SIGNALBOX_TOKEN), made in the admin UI under Keys and tokens
      --project       default: "default"
      --json          prints what the server answered
  -h, --help   -v, --version

Exit codes of kill and restore
  0 stored, and every connected program has applied it    3 stored, some programs lag (they are named)
  1 not stored                                            4 stored or perhaps stored, but not known what came of it
`;
