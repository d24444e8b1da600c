import { Alert, type CSSVariablesResolver, createTheme, Drawer, Menu, Modal, SegmentedControl, Tooltip } from "@mantine/core";

const closeButtonProps = { "aria-label": "Close" };

export const theme = createTheme({
  primaryColor: "indigo",
  primaryShade: 8,
  // The grays of the dark scheme with the hue of the surfaces below.
  colors: {
    dark: ["#d8dce3", "#b4bac4", "#8d95a1", "#5d6570", "#434a55", "#343942", "#272b33", "#1d2026", "#17191e", "#101216"],
  },
  defaultRadius: "md",
  cursorType: "pointer",
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  headings: { fontWeight: "650" },
  components: {
    Modal: Modal.extend({ defaultProps: { closeButtonProps } }),
    Drawer: Drawer.extend({ defaultProps: { closeButtonProps } }),
    // A placeholder that takes the focus is a child that a menu must not have; the first item takes it.
    Menu: Menu.extend({ defaultProps: { withInitialFocusPlaceholder: false } }),
    // The colors of titles miss 4.5:1 on their own; the border and the icon carry the color.
    Alert: Alert.extend({ defaultProps: { classNames: { label: "sb-alert-title" } } }),
    // The radio lies over its label, so that a pointer, a finger and a test meet the control itself.
    SegmentedControl: SegmentedControl.extend({ defaultProps: { classNames: { control: "sb-segment", input: "sb-segment-input" } } }),
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
    "--mantine-color-indigo-light-hover": "#e3e8fd",
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
