// Links between the parts of a view.
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Link } from "../router.js";

// `parts`: [path, key of the text].
export function Tabs({ label, parts, current }) {
  return html`<nav class="tabs" aria-label=${label}>
    ${parts.map(
      ([path, key]) => html`<${Link} key=${path} href=${path}
        aria-current=${path === current ? "page" : undefined}>${t(key)}<//>`,
    )}
  </nav>`;
}
