// Name, address and tier.
import { write } from "../../api.js";
import { html } from "../../html.js";
import { day, t } from "../../i18n.js";
import { loadProfile, session } from "../../session.js";
import { useStore } from "../../store.js";
import { say } from "../../toasts.js";
import { Button, Field, Notice } from "../../ui/controls.js";
import { useForm } from "../../ui/form.js";

export function Profile() {
  const { profile } = useStore(session);
  const form = useForm(async ({ display_name }) => {
    const body = { display_name: display_name.trim() || null };
    await write("PATCH", "/users/me", { body, onPending: () => say(t("pending")) });
    await loadProfile();
    say(t("saved"));
  });
  const rows = [
    ["email", profile.email],
    ["account.confirmed", profile.email_confirmed_at ? day(profile.email_confirmed_at) : t("no")],
    ["account.tier", t(`tier.${profile.tier}`)],
    ["account.since", day(profile.created_at)],
  ];
  return html`
    <section class="card">
      <h2>${t("account.profile")}</h2>
      <dl class="details">
        ${rows.map(([key, value]) => html`<div key=${key}><dt>${t(key)}</dt><dd>${value}</dd></div>`)}
      </dl>
    </section>
    <section class="card">
      <h2>${t("name")}</h2>
      <form class="limited" onSubmit=${form.onSubmit}>
        ${form.message && html`<${Notice} kind="bad">${form.message}<//>`}
        <${Field} label=${t("name")} hint=${t("name.hint")} name="display_name" autocomplete="name"
          maxlength="80" defaultValue=${profile.display_name ?? ""} error=${form.fields.display_name} />
        <div><${Button} type="submit" busy=${form.busy}>${t("save")}<//></div>
      </form>
    </section>`;
}
