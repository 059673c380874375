// For paths that are no view, and views that one may not see.
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Link } from "../router.js";
import { Title } from "../ui/title.js";

export default function NotFound() {
  return html`<div class="empty">
    <${Title}>${t("notfound.title")}<//>
    <p>${t("notfound.text")}</p>
    <${Link} class="button secondary" href="/">${t("notfound.home")}<//>
  </div>`;
}
