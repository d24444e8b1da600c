import { Box, Button, CopyButton } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";

/** Text to take as it is, with a button that copies it. */
export function Copyable({ text, what }: { text: string; what: string }) {
  return (
    <Box pos="relative">
      <section aria-label={what}>
        <pre className="sb-code">{text}</pre>
      </section>
      <div className="sb-copy">
        <CopyText text={text} what={what} />
      </div>
    </Box>
  );
}

export function CopyText({ text, what }: { text: string; what: string }) {
  return (
    <CopyButton value={text} timeout={2_000}>
      {({ copied, copy }) => (
        <Button
          size="compact-sm"
          variant="default"
          leftSection={copied ? <IconCheck size={15} aria-hidden /> : <IconCopy size={15} aria-hidden />}
          aria-label={`Copy ${what}`}
          onClick={copy}
        >
          {copied ? "Copied" : "Copy"}
        </Button>
      )}
    </CopyButton>
  );
}
