import { useEffect, useRef } from "react";

/** Single keys as shortcuts can be switched off (WCAG 2.1.4): who speaks to the page would trigger them by dictating. */
const STORED_AS = "signalbox-shortcuts";
let on = read();

function read(): boolean {
  try {
    return localStorage.getItem(STORED_AS) !== "off";
  } catch {
    return true; // Storage can be forbidden; then the choice lasts for this page.
  }
}

export function shortcutsOn(): boolean {
  return on;
}

export function setShortcuts(next: boolean): void {
  on = next;
  try {
    localStorage.setItem(STORED_AS, next ? "on" : "off");
  } catch {
    // As above.
  }
}

/** Runs the handler of the key, or of two keys in a row ("g f"), unless the person is typing. */
export function useShortcuts(handlers: Readonly<Record<string, () => void>>): void {
  const current = useRef(handlers);
  current.current = handlers;
  useEffect(() => {
    let first = "";
    let firstAt = 0;
    const onKey = (event: KeyboardEvent) => {
      if (!on || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const sequence = event.timeStamp - firstAt < 1_000 ? `${first} ${event.key}` : event.key;
      const handler = current.current[sequence] ?? current.current[event.key];
      first = event.key;
      firstAt = event.timeStamp;
      if (!handler) return;
      event.preventDefault();
      first = "";
      handler();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "range", "button"].includes(target.type);
  return target.isContentEditable || ["TEXTAREA", "SELECT"].includes(target.tagName) || target.getAttribute("role") === "combobox";
}
