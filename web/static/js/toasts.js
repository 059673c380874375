// Short messages at the edge of the page, also spoken by screen readers.
import { html } from "./html.js";
import { t } from "./i18n.js";
import { createStore, useStore } from "./store.js";
import { Icon } from "./ui/icons.js";

const SHOWN_MS = 7000;
const toasts = createStore([]);
let last = 0;

export function say(text, kind = "good") {
  last += 1;
  const id = last;
  toasts.set((shown) => [...shown, { id, text, kind }].slice(-3));
  setTimeout(() => dismiss(id), SHOWN_MS);
}

const dismiss = (id) => toasts.set((shown) => shown.filter((toast) => toast.id !== id));

export function Toasts() {
  const shown = useStore(toasts);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${shown.map(
      ({ id, text, kind }) => html`<div key=${id} class="toast ${kind}">
        <span>${text}</span>
        <button class="icon-button" type="button" onClick=${() => dismiss(id)} aria-label=${t("close")}>
          <${Icon} name="close" />
        </button>
      </div>`,
    )}
  </div>`;
}
