import { randomBytes } from "node:crypto";
import type { Access } from "../auth/access.ts";
import { projectAt } from "../environments/located.ts";
import { problem } from "../errors.ts";
import { rowsOf } from "../groups/lists.ts";
import type { ProjectModel } from "../store/model.ts";
import type { Author } from "../store/origin.ts";
import type { Current, Outcome } from "../store/outcome.ts";
import { refuseTooLarge, type Store } from "../store/store.ts";
import { tombstonesOf } from "../store/tombstones.ts";
import { createTurn, type Turn } from "../turns.ts";
import type { ProjectDocument } from "./document.ts";
import { type ImportMode, type Plan, planImport } from "./plan.ts";
import { type Objection, readDocument } from "./read.ts";

export interface ImportRequest {
  readonly project: string;
  readonly input: unknown;
  readonly mode: ImportMode;
  readonly reuse: boolean;
  readonly dryRun: boolean;
}

export interface Imported extends Omit<Plan, "outcome" | "needs"> {
  /** As it is afterwards. */
  readonly project: ProjectModel;
  readonly changed: boolean;
}

/**
 * Takes a file into a project. The plan is made outside of the write, in turns, and written if the project is still the one that it was
 * made for; when others write all the time, the last attempt makes it inside, where it gives way to kills.
 */
export interface Imports {
  /** Throws a problem: IMPORT_REFUSED with every objection (not when dry), FORBIDDEN, OVERLOADED, CONFLICT. */
  import(request: ImportRequest, author: Author, access: Access): Promise<Imported>;
}

const ATTEMPTS_MAX = 3;
/** Objections in the answer to a write. */
const ISSUES_MAX = 100;

export function createImports(store: Pick<Store, "db" | "project" | "projects" | "write">): Imports {
  let isRunning = false;

  async function planned(current: Current, document: ProjectDocument, request: ImportRequest, access: Access, turn: Turn): Promise<Plan> {
    const { project } = current;
    const plan = await planImport(current, document, {
      mode: request.mode,
      reuse: request.reuse,
      mayRead: ({ info }) => access.may("read", { project: project.key, environment: info.key }),
      tombstones: await tombstonesOf(store.db, project.id),
      rowsOf: (group) => rowsOf(store.db, group, turn),
      newRuleId: () => `r${randomBytes(6).toString("hex")}`,
      newHashKey: () => randomBytes(16).toString("hex"),
      turn,
    });
    if (plan.needs.project) access.demand("edit", { project: project.key });
    for (const environment of plan.needs.edit) access.demand("edit", { project: project.key, environment });
    for (const environment of plan.needs.admin) access.demand("admin", { project: project.key, environment });
    const outcome = refuseTooLarge(project, plan.outcome);
    if (outcome.kind !== "invalid") return plan;
    return { ...plan, outcome: { kind: "unchanged" }, objections: [{ pointer: "", message: outcome.detail }] };
  }

  /** The state that a write would find now, with the ids that it would give. */
  async function seen({ project }: ImportRequest, author: Author): Promise<Current> {
    let current: Current | undefined;
    const { idempotent: _ofTheWrite, ...by } = author;
    await store.write({ ...by, project }, (now) => {
      current = now;
      return { kind: "unchanged" };
    });
    if (!current) throw new TypeError("a write decides nothing");
    return current;
  }

  async function run(request: ImportRequest, author: Author, access: Access): Promise<Imported> {
    const turn = createTurn();
    const { document, objections } = await readDocument(request.input, turn);
    if (!document || (objections.length > 0 && !request.dryRun)) {
      if (!request.dryRun) throw refusal(objections);
      return { project: projectAt(store, request.project), changed: false, changes: [], notes: [], objections };
    }
    for (let attempt = 1; ; attempt++) {
      const current = await seen(request, author);
      const plan = await planned(current, document, request, access, turn);
      const told = { changes: plan.changes, notes: plan.notes, objections: [...objections, ...plan.objections] };
      if (request.dryRun)
        return { ...told, project: current.project, changed: told.objections.length === 0 && plan.outcome.kind === "changed" };
      if (told.objections.length > 0) throw refusal(told.objections);
      if (plan.outcome.kind === "unchanged") return { ...told, project: current.project, changed: false };
      const isLast = attempt === ATTEMPTS_MAX;
      let inside: Plan | undefined;
      const { outcome, project } = await store.write(
        { ...author, project: request.project },
        async (now, _tx, turnOfWrite): Promise<Outcome> => {
          if (isSame(now, current)) return plan.outcome;
          if (!isLast) return { kind: "conflict" };
          inside = await planned(now, document, request, access, turnOfWrite);
          return inside.objections.length > 0 ? { kind: "unchanged" } : inside.outcome;
        },
      );
      if (outcome.kind === "conflict") continue;
      if (inside && inside.objections.length > 0) throw refusal(inside.objections);
      const { changes, notes } = inside ?? plan;
      return { changes, notes, objections: [], project, changed: outcome.kind === "changed" };
    }
  }

  return {
    async import(request, author, access) {
      if (isRunning) {
        throw problem("OVERLOADED", "Another file is being imported, and one is the most that may at once; try again in some seconds.", {
          headers: { "retry-after": "5" },
        });
      }
      isRunning = true;
      try {
        return await run(request, author, access);
      } finally {
        isRunning = false;
      }
    },
  };
}

/** What is in memory is immutable: the same object is the same state. */
function isSame(a: Current, b: Current): boolean {
  return a.project === b.project && a.newIds.flag === b.newIds.flag && a.newIds.group === b.newIds.group;
}

function refusal(objections: readonly Objection[]) {
  const [first] = objections;
  const more = objections.length > 1 ? ` (and ${objections.length - 1} more)` : "";
  const where = first?.pointer ? `${first.pointer}: ` : "";
  return problem("IMPORT_REFUSED", `Nothing was changed. ${where}${first?.message ?? "refused"}${more}`, {
    issues: objections.slice(0, ISSUES_MAX).map(({ pointer, message }) => ({ path: pointer, message })),
  });
}
