// What somebody sees who is not signed in.
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Link } from "../router.js";
import { Icon } from "../ui/icons.js";
import { Title } from "../ui/title.js";

const POINTS = [["clock", "age"], ["star", "live"], ["search", "find"]];

export default function Home() {
  return html`<section class="hero">
      <p class="eyebrow">${t("home.eyebrow")}</p>
      <${Title} text=${t("home.tab")}>${t("home.title")}<//>
      <p class="lead">${t("home.lead")}</p>
      <p class="hero-actions">
        <${Link} class="button primary" href="/signup">${t("home.start")}<//>
        <${Link} class="button secondary" href="/signin">${t("signin")}<//>
      </p>
    </section>
    <ul class="points">
      ${POINTS.map(
        ([icon, key]) => html`<li key=${key}>
          <${Icon} name=${icon} />
          <h2>${t(`home.${key}.title`)}</h2>
          <p>${t(`home.${key}.text`)}</p>
        </li>`,
      )}
    </ul>`;
}
