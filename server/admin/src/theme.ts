import { type CSSVariablesResolver, createTheme, Drawer, Modal, Tooltip } from "@mantine/core";

const closeButtonProps = { "aria-label": "Close" };

export const theme = createTheme({
  primaryColor: "indigo",
  primaryShade: 8,
  defaultRadius: "md",
  cursorType: "pointer",
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  headings: { fontWeight: "650" },
  components: {
    Modal: Modal.extend({ defaultProps: { closeButtonProps } }),
    Drawer: Drawer.extend({ defaultProps: { closeButtonProps } }),
    Tooltip: Tooltip.extend({ defaultProps: { withArrow: true, events: { hover: true, focus: true, touch: false } } }),
  },
});

/** The default dimmed, placeholder and error colors miss the 4.5:1 that WCAG asks of text. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-body": "#f7f8fa",
    "--mantine-color-dimmed": "#545b64",
    "--mantine-color-placeholder": "#626a73",
    "--mantine-color-error": "#b42318",
    "--mantine-color-anchor": "#364fc7",
    "--sb-surface": "#ffffff",
    "--sb-line": "#dfe3e8",
  },
  dark: {
    "--mantine-color-body": "#15171c",
    "--mantine-color-dimmed": "#a9b0ba",
    "--mantine-color-placeholder": "#9aa1ab",
    "--mantine-color-error": "#ff8f85",
    "--mantine-color-anchor": "#a5b4fc",
    "--sb-surface": "#1d2026",
    "--sb-line": "#343942",
  },
});
