import { Text } from "@mantine/core";
import { useEffect, useState } from "react";
import type { Receipt } from "../../../src/api-types.ts";
import { call, sentenceOfError } from "../api.ts";
import { useLiveStore, useReceipt } from "../live.ts";
import { type Place, pathOf } from "../queries.ts";

/** How long the server holds the answer until every program has acknowledged. */
const WAIT_MS = 10_000;

/** "2 of 2 connected programs have applied it, slowest 4 ms", counting up by itself. */
export function ReceiptLine({ place, revision }: { place: Place; revision: number }) {
  const live = useLiveStore();
  const receipt = useReceipt(place, revision);
  const [problem, setProblem] = useState<string>();

  const path = `${pathOf(place)}/revisions/${revision}/receipt`;

  useEffect(() => {
    const abort = new AbortController();
    // First what is known now, then the answer that waits; events tell what comes between.
    (async () => {
      try {
        const known = await call<Receipt>("GET", path, { signal: abort.signal });
        live.noteReceipt(known);
        if (!known.complete) live.noteReceipt(await call<Receipt>("GET", `${path}?waitMs=${WAIT_MS}`, { signal: abort.signal }));
      } catch (error) {
        if (!abort.signal.aborted) setProblem(sentenceOfError(error));
      }
    })();
    return () => abort.abort();
  }, [live, path]);

  if (!receipt) {
    return (
      <Text size="sm" component="div">
        {problem ?? "Stored. Asking the connected programs…"}
      </Text>
    );
  }
  const waiting = receipt.missing.filter(({ counted, reason }) => counted && reason !== "gone");
  return (
    <Text size="sm" component="div">
      {receipt.sentence}
      {waiting.length > 0 && <> · waiting for {waiting.map(({ app }) => app).join(", ")}</>}
    </Text>
  );
}
