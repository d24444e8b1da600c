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
  return (
    <Text size="sm" component="div">
      <span>{receipt.sentence}</span>
      <ReceiptDetails receipt={receipt} />
    </Text>
  );
}

/** Programs named on the page; the receipt in the API has up to 100. */
const NAMED_MAX = 10;

/** How long it took for most, and who is missing and why; to be opened. */
function ReceiptDetails({ receipt }: { receipt: Receipt }) {
  const { acknowledged, storedMs, p50Ms, p95Ms, p99Ms, slowestMs, missing } = receipt;
  if (acknowledged === 0 && missing.length === 0) return null;
  return (
    <details>
      <summary>
        {missing.length === 0 ? "How long it took" : `Who is missing (${missing.length === 100 ? "100 or more" : missing.length})`}
      </summary>
      <div>
        stored in {storedMs} ms
        {acknowledged > 0 && `; applied by half within ${p50Ms} ms, 95 % ${p95Ms} ms, 99 % ${p99Ms} ms, all that answered ${slowestMs} ms`}
      </div>
      <ul style={{ margin: 0, paddingLeft: 18 }}>
        {missing.slice(0, NAMED_MAX).map(({ app, appVersion, host, instance, kind, why }) => (
          <li key={`${kind}:${instance}`}>
            <b>
              {app}
              {appVersion !== null && ` ${appVersion}`}
            </b>
            {host !== null && ` on ${host}`}: {why}
          </li>
        ))}
      </ul>
      {missing.length > NAMED_MAX && <div>and {missing.length - NAMED_MAX} more</div>}
    </details>
  );
}
