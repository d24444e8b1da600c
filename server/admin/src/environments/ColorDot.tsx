import { Box } from "@mantine/core";

/** Only beside a word: a color alone says nothing. */
export function ColorDot({ color }: { color: string }) {
  return (
    <Box
      component="span"
      aria-hidden
      w={12}
      h={12}
      bg={`${color}.6`}
      style={{ borderRadius: "50%", display: "inline-block", flexShrink: 0 }}
    />
  );
}
