// The last day of a price as a line as wide as a word. It is decoration: the figures are beside it.
import { html } from "../html.js";

const WIDTH = 96;
const HEIGHT = 32;

// Returns the `d` of a path; a missing close ends one part of the line.
export function pathOf(closes) {
  const known = closes.filter((close) => close !== null).map(Number);
  const low = Math.min(...known);
  const span = Math.max(...known) - low || 1;
  const last = Math.max(closes.length - 1, 1);
  let isOpen = false;
  return closes
    .map((close, place) => {
      if (close === null) {
        isOpen = false;
        return "";
      }
      const x = (place / last) * WIDTH;
      const y = HEIGHT - 3 - ((close - low) / span) * (HEIGHT - 6);
      const step = `${isOpen ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      isOpen = true;
      return step;
    })
    .join("");
}

export function Sparkline({ sparkline }) {
  const closes = sparkline.closes;
  const known = closes.filter((close) => close !== null).map(Number);
  if (known.length < 2) return null;
  const first = Number(sparkline.previous_close ?? known[0]);
  const direction = known.at(-1) >= first ? "up" : "down";
  return html`<svg class="sparkline ${direction}" viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true"
    preserveAspectRatio="none"><path d=${pathOf(closes)} /></svg>`;
}
