import { useEffect, useState } from "react";

/** The current time, again every `intervalMs`. */
export function useNow(intervalMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), intervalMs);
    return () => clearInterval(timer);
  }, [intervalMs]);
  return now;
}

const STEPS: readonly [number, number, string][] = [
  [60_000, 1_000, "s"],
  [3_600_000, 60_000, "min"],
  [86_400_000, 3_600_000, "h"],
];

/** "0.3 s ago", "12 s ago", "4 min ago", "3 days ago". A time in the future (another clock) is now. */
export function ago(at: number, now: number): string {
  const ms = Math.max(0, now - at);
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s ago`;
  for (const [below, unit, word] of STEPS) {
    if (ms < below) return `${Math.floor(ms / unit)} ${word} ago`;
  }
  const days = Math.floor(ms / 86_400_000);
  return days === 1 ? "1 day ago" : `${days} days ago`;
}

export function Ago({ at, fine = false }: { at: number; fine?: boolean }) {
  const now = useNow(fine ? 100 : 1_000);
  const date = new Date(at);
  const ms = now - at;
  const text = !fine && ms < 10_000 ? (ms < 1_500 ? "just now" : `${Math.floor(ms / 1_000)} s ago`) : ago(at, now);
  return (
    <time dateTime={date.toISOString()} title={date.toLocaleString()}>
      {text}
    </time>
  );
}
