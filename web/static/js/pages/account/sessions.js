// Where the user is signed in.
import { Problem, get, write } from "../../api.js";
import { html } from "../../html.js";
import { dateTime, t } from "../../i18n.js";
import { messageOf } from "../../problems.js";
import { say } from "../../toasts.js";
import { Button } from "../../ui/controls.js";
import { Loaded, useLoaded } from "../../ui/loaded.js";
import { Age } from "../../ui/price.js";

export function Sessions() {
  const loaded = useLoaded((signal) => get("/users/me/sessions", { signal }));
  const end = async (id) => {
    const before = loaded.data;
    loaded.setData({ sessions: before.sessions.filter((each) => each.id !== id) });
    try {
      await write("DELETE", `/users/me/sessions/${id}`);
      say(t("sessions.ended"));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      loaded.setData(before);
      say(messageOf(error), "bad");
    }
  };
  return html`<section class="card flush">
    <${Loaded} of=${loaded} rows=${3}>${({ sessions }) => html`<ul class="rows">
      ${sessions.map((each) => html`<${Session} key=${each.id} session=${each} onEnd=${end} />`)}
    </ul>`}<//>
  </section>`;
}

function Session({ session: { id, client, ip_address, created_at, last_used_at, current }, onEnd }) {
  return html`<li>
    <div>
      <p class="row-title">${client ?? t("sessions.unknown")}
        ${current && html`<span class="badge">${t("sessions.current")}</span>`}</p>
      <p class="muted">${ip_address} · ${t("sessions.since")} ${dateTime(created_at)} ·
        ${" "}${t("sessions.used")} <${Age} at=${last_used_at} /></p>
    </div>
    ${!current && html`<${Button} kind="secondary" onClick=${() => onEnd(id)}>${t("sessions.end")}<//>`}
  </li>`;
}
