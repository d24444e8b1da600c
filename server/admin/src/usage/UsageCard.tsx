import { Alert, Box, Group, Paper, SegmentedControl, Stack, Table, Text, Title, Tooltip } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { Flag, FlagUsage } from "../../../src/api-types.ts";
import { sentenceOfError } from "../api.ts";
import { type Place, usageQuery } from "../queries.ts";
import { type Chart, changeWords, chartOf, marksOf, variantsOf } from "./chart.ts";
import "./usage.css";

const SPANS = [
  { value: "1", label: "1 h" },
  { value: "24", label: "24 h" },
  { value: "168", label: "7 days" },
  { value: "720", label: "30 days" },
];
const COLORS = 6;
/** Changes that a mark names; all of them are in the table. */
const MARK_LINES_MAX = 5;

const number = (count: number) => count.toLocaleString("en");

/** What the flag served over time, with the moments at which somebody changed something. */
export function UsageCard({ place, flag }: { place: Place; flag: Flag }) {
  const [hours, setHours] = useState(1);
  const usage = useQuery({ ...usageQuery(place, flag.key, hours), placeholderData: keepPreviousData, refetchInterval: 60_000 });
  const { off } = flag.configuration;

  return (
    <Paper className="sb-card" p="md" component="section" aria-labelledby="usage">
      <Stack gap="sm">
        <Group justify="space-between" gap="xs">
          <Title order={2} size="h4" id="usage">
            Usage
          </Title>
          <SegmentedControl
            size="xs"
            aria-label="Time shown"
            data={SPANS}
            value={String(hours)}
            onChange={(value) => setHours(Number(value))}
          />
        </Group>
        {usage.isError && !usage.data ? (
          <Alert color="orange" variant="outline">
            {sentenceOfError(usage.error)}
          </Alert>
        ) : usage.data ? (
          <Content usage={usage.data} off={off} />
        ) : (
          <Text size="sm" c="dimmed">
            Counting…
          </Text>
        )}
      </Stack>
    </Paper>
  );
}

function Content({ usage, off }: { usage: FlagUsage; off: string }) {
  const { from, to, stepMs, series, changes } = usage;
  const chart = useMemo(() => chartOf({ from, to, stepMs, series }, off), [from, to, stepMs, series, off]);
  const variants = useMemo(() => variantsOf({ series }, off), [series, off]);
  const colors = new Map(variants.map((variant, index) => [variant, variant === off ? "off" : String(index % COLORS)]));
  return (
    <>
      <Text size="sm">{number(usage.perMinute)} evaluations in the last minute</Text>
      {series.length === 0 ? (
        <Text size="sm" c="dimmed">
          No evaluation was reported in this time.
        </Text>
      ) : (
        <Bars chart={chart} colors={colors} usage={usage} />
      )}
      <Group gap="md" component="ul" m={0} p={0} style={{ listStyle: "none" }} aria-label="Variants served">
        {variants.map((variant) => (
          <Group key={variant} component="li" gap={6} wrap="nowrap">
            <span className="sb-usage-key" data-color={colors.get(variant)} aria-hidden />
            <Text size="sm">
              {variant}: {number(series.find((one) => one.variant === variant)?.total ?? 0)}
            </Text>
          </Group>
        ))}
      </Group>
      {(series.length > 0 || changes.length > 0) && <AsTable chart={chart} variants={variants} usage={usage} />}
    </>
  );
}

interface BarsProps {
  readonly chart: Chart;
  readonly colors: ReadonlyMap<string, string>;
  readonly usage: FlagUsage;
}

const HEIGHT = 100;

/** Drawn in units of its own and stretched; text and markers lie over it, so that they are not stretched with it. */
function Bars({ chart, colors, usage }: BarsProps) {
  const { bars, top } = chart;
  const { ref, width } = useElementSize();
  return (
    <div className="sb-usage">
      <span className="sb-usage-top">{number(top)}</span>
      <div className="sb-usage-plot" ref={ref}>
        <svg viewBox={`0 0 ${bars.length} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={chartLabel(usage)}>
          {bars.map((bar, index) => {
            let y = HEIGHT;
            return bar.parts.map(({ variant, count }) => {
              const height = (count / top) * HEIGHT;
              y -= height;
              return (
                <rect key={`${bar.at} ${variant}`} x={index + 0.1} y={y} width={0.8} height={height} data-color={colors.get(variant)} />
              );
            });
          })}
        </svg>
        {marksOf(usage, chart, width).map(({ left, changes }) => {
          const lines = changes.map((change) => `${changeWords(change)}, ${clock(change.at, true)}`);
          const more = lines.splice(MARK_LINES_MAX).length;
          if (more > 0) lines.push(`and ${more} more`);
          return (
            <Tooltip
              key={changes[0]?.revision}
              label={lines.map((line) => <Box key={line}>{line}</Box>)}
              events={{ hover: true, focus: true, touch: true }}
              multiline
              maw={280}
            >
              <button
                type="button"
                className="sb-usage-mark"
                style={{ left: `${left}%` }}
                data-kind={changes.some(({ action }) => action === "flag.kill") ? "kill" : "change"}
                aria-label={lines.join("; ")}
              />
            </Tooltip>
          );
        })}
      </div>
      <div className="sb-usage-times" aria-hidden>
        <span>{clock(bars[0]?.at ?? usage.from, usage.stepMs > 60_000)}</span>
        <span>{clock(usage.to, usage.stepMs > 60_000)}</span>
      </div>
    </div>
  );
}

/** The same in words, for whoever does not see the bars or wants the figures. */
function AsTable({ chart, variants, usage }: { chart: Chart; variants: readonly string[]; usage: FlagUsage }) {
  const rows = chart.bars.filter(({ total }) => total > 0).toReversed();
  return (
    <details className="sb-usage-table">
      <summary>As a table</summary>
      {usage.changes.length > 0 && (
        <Stack gap={2} my="xs" component="ul" pl="lg">
          {usage.changes.toReversed().map((change) => (
            <Text key={change.revision} component="li" size="sm">
              {clock(change.at, true)}: {changeWords(change)}
            </Text>
          ))}
        </Stack>
      )}
      {rows.length > 0 && (
        // Scrolls by keyboard too.
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable
        <section className="sb-usage-scroll" tabIndex={0} aria-label="Evaluations by time">
          <Table withRowBorders={false} fz="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">Time</Table.Th>
                {variants.map((variant) => (
                  <Table.Th key={variant} scope="col" ta="right">
                    {variant}
                  </Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map(({ at, parts }) => (
                <Table.Tr key={at}>
                  <Table.Th scope="row" fw={400}>
                    {clock(at, usage.stepMs > 60_000)}
                  </Table.Th>
                  {variants.map((variant) => (
                    <Table.Td key={variant} ta="right">
                      {number(parts.find((part) => part.variant === variant)?.count ?? 0)}
                    </Table.Td>
                  ))}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </section>
      )}
    </details>
  );
}

function chartLabel({ series, changes }: FlagUsage): string {
  const served = series.map(({ variant, total }) => `${variant} ${number(total)} times`).join(", ");
  return `Evaluations over time: ${served}; ${changes.length === 1 ? "1 change" : `${changes.length} changes`}. The figures are in the table below.`;
}

function clock(at: number, withDay: boolean): string {
  return new Date(at).toLocaleString([], { ...(withDay ? { day: "numeric", month: "short" } : {}), hour: "2-digit", minute: "2-digit" });
}
