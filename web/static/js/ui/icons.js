// Icons as paths of a 24-pixel square. They are decoration: the text beside them or the label of
// their button says what they mean.
import { html } from "../html.js";

const PATHS = {
  close: "M6 6l12 12M18 6L6 18",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5L21 21",
  plus: "M12 5v14M5 12h14",
  check: "M5 12.5l4.5 4.5L19 7",
  edit: "M4 20h4L19 9l-4-4L4 16v4zM13.5 6.5l4 4",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c1-4 4-6 8-6s7 2 8 6",
  mail: "M3 6h18v12H3zM3 7l9 7 9-7",
  warning: "M12 4L2.5 20h19L12 4zM12 10v5M12 17.5v.5",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3 2",
  offline: "M3 3l18 18M5 10a12 12 0 0 1 4-2.4M19 10a12 12 0 0 0-5-2.8M8.5 14a6 6 0 0 1 5-1.7M12 18.5h.01",
  up: "M6 15l6-6 6 6",
  down: "M6 9l6 6 6-6",
  star: "M12 3.5l2.6 5.4 5.9.8-4.3 4.1 1 5.9L12 16.9l-5.2 2.8 1-5.9L3.5 9.7l5.9-.8z",
};

export function Icon({ name, filled = false }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <path d=${PATHS[name]} class=${filled ? "filled" : ""} />
  </svg>`;
}
