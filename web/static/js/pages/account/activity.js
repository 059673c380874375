// What happened to the account, newest first.
import { html } from "../../html.js";
import { dateTime, has, t } from "../../i18n.js";
import { Loaded } from "../../ui/loaded.js";
import { More, usePaged } from "../../ui/paged.js";

export const actionText = (action) => (has(`action.${action}`) ? t(`action.${action}`) : action);

export function Activity() {
  const paged = usePaged("/users/me/activity", "activity");
  return html`<section class="card flush">
    <${Loaded} of=${paged} rows=${6}>${({ activity }) => html`
      ${activity.length === 0 && html`<p class="rows-note">${t("activity.none")}</p>`}
      <ul class="rows">${activity.map((each) => html`<${Entry} key=${each.id} entry=${each} />`)}</ul>
      <${More} of=${paged} />
    `}<//>
  </section>`;
}

function Entry({ entry: { action, details, ip_address, user_agent, created_at } }) {
  const where = [ip_address, user_agent].filter(Boolean).join(" · ");
  return html`<li>
    <div>
      <p class="row-title">${actionText(action)}
        ${details.symbol && html`<span class="badge">${details.symbol}</span>`}</p>
      ${where && html`<p class="muted clipped" title=${where}>${where}</p>`}
    </div>
    <time class="muted" datetime=${created_at}>${dateTime(created_at)}</time>
  </li>`;
}
