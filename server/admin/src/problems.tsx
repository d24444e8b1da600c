import { Text } from "@mantine/core";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useId, useMemo, useState } from "react";

/** What the server said against the last save: `path` leads to the field (`rules.0.when.of.1.values`). */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

interface Problems {
  readonly issues: readonly Issue[];
  /** The first thing on the page that is typed but cannot be taken, such as JSON that does not end. */
  readonly typed: string | undefined;
  /** Raised when unsaved edits are dropped, and with them what is typed. */
  readonly round: number;
  readonly report: (id: string, problem: string | undefined) => void;
}

const Context = createContext<Problems>({ issues: [], typed: undefined, round: 0, report: () => {} });

/** Brings the server's refusals to their fields, and what fields cannot take to the button that saves. */
export function ProblemsProvider({ issues, round = 0, children }: { issues: readonly Issue[]; round?: number; children: ReactNode }) {
  const [typed, setTyped] = useState<ReadonlyMap<string, string>>(new Map());
  const report = useCallback((id: string, problem: string | undefined) => {
    setTyped((old) => {
      const next = new Map(old);
      if (problem === undefined) next.delete(id);
      else next.set(id, problem);
      return next;
    });
  }, []);
  const value = useMemo(() => ({ issues, typed: [...typed.values()][0], round, report }), [issues, typed, round, report]);
  return <Context value={value}>{children}</Context>;
}

/** Keeps the page from being saved while something typed here cannot be taken. */
export function useTypedProblem(problem: string | undefined): void {
  const id = useId();
  const { report } = useContext(Context);
  useEffect(() => {
    if (problem === undefined) return;
    report(id, problem);
    return () => report(id, undefined);
  }, [id, problem, report]);
}

export function useRound(): number {
  return useContext(Context).round;
}

export function useTyped(): string | undefined {
  return useContext(Context).typed;
}

/** What the server said of the field at `path` and of what is in it; with `exactly`, of the field alone. An empty path is the whole. */
export function useIssues(path: string | undefined, { exactly = false } = {}): readonly string[] {
  const { issues } = useContext(Context);
  if (path === undefined) return [];
  if (path === "") return issues.map(({ message }) => message);
  return issues.filter((issue) => issue.path === path || (!exactly && issue.path.startsWith(`${path}.`))).map(({ message }) => message);
}

/** The server's words beside the field. */
export function IssueText({ issues }: { issues: readonly string[] }) {
  if (issues.length === 0) return null;
  return (
    <div role="alert">
      {issues.map((issue) => (
        <Text key={issue} size="xs" c="var(--mantine-color-error)">
          {issue}
        </Text>
      ))}
    </div>
  );
}
