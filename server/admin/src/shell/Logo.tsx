import { Group, Text } from "@mantine/core";

export function Logo({ compact = false }: { compact?: boolean }) {
  return (
    <Group gap={8} wrap="nowrap">
      <svg width="20" height="28" viewBox="8 1 16 30" aria-hidden="true" focusable="false">
        <rect x="9" y="2" width="14" height="23" rx="7" className="sb-mast" />
        <circle cx="16" cy="9" r="3.4" fill="#ff8787" />
        <circle cx="16" cy="18" r="3.4" fill="#69db7c" />
        <rect x="14.5" y="25" width="3" height="6" className="sb-mast" />
      </svg>
      <Text component="span" fw={700} size="lg" visibleFrom={compact ? "sm" : "xs"} className={compact ? "" : "sb-always"}>
        Signalbox
      </Text>
    </Group>
  );
}
