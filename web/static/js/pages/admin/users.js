// Users: found by address, tier and state; their tier and permissions are changed here.
import { useState } from "preact/hooks";
import { Problem, write } from "../../api.js";
import { html } from "../../html.js";
import { day, t } from "../../i18n.js";
import { messageOf } from "../../problems.js";
import { session } from "../../session.js";
import { say } from "../../toasts.js";
import { Button, Field } from "../../ui/controls.js";
import { Loaded } from "../../ui/loaded.js";
import { More, usePaged } from "../../ui/paged.js";

const TIERS = ["free", "plus", "pro"];

export function Users() {
  const [filters, filter] = useState({});
  const paged = usePaged("/admin/users", "users", filters);
  const replace = (changed) => {
    const users = paged.data.users.map((user) => (user.id === changed.id ? changed : user));
    paged.setData({ ...paged.data, users });
  };
  const onSubmit = (event) => {
    event.preventDefault();
    filter(Object.fromEntries(new FormData(event.currentTarget)));
  };
  return html`
    <form class="filters" onSubmit=${onSubmit}>
      <${Field} label=${t("email")} name="email" type="email" />
      <${Select} label=${t("account.tier")} name="tier" options=${TIERS.map((each) => [each, t(`tier.${each}`)])} />
      <${Select} label=${t("account.confirmed")} name="verified" options=${[["true", t("yes")], ["false", t("no")]]} />
      <${Button} type="submit">${t("search")}<//>
    </form>
    <section class="card flush">
      <${Loaded} of=${paged} rows=${6}>${({ users }) => html`
        ${users.length === 0 && html`<p class="rows-note">${t("admin.none")}</p>`}
        <ul class="rows">
          ${users.map((user) => html`<${User} key=${user.id} user=${user} onChange=${replace} />`)}
        </ul>
        <${More} of=${paged} />
      `}<//>
    </section>`;
}

export function Select({ label, name, options }) {
  return html`<label class="field"><span>${label}</span>
    <select name=${name}>
      <option value="">${t("any")}</option>
      ${options.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}
    </select>
  </label>`;
}

function User({ user, onChange }) {
  const isAdmin = user.permissions.includes("admin");
  // What is chosen is shown at once, and undone when it is refused.
  const change = async (next, path, body) => {
    onChange(next);
    try {
      await write("PUT", `/admin/users/${user.id}/${path}`, { body, onPending: () => say(t("pending")) });
      say(t("saved"));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      onChange({ ...user });
      say(messageOf(error), "bad");
    }
  };
  const setTier = (tier) => change({ ...user, tier }, "tier", { tier });
  const setAdmin = (wanted) => {
    const permissions = wanted ? ["admin"] : [];
    return change({ ...user, permissions }, "permissions", { permissions });
  };
  return html`<li>
    <div>
      <p class="row-title">${user.email}
        ${!user.email_confirmed_at && html`<span class="badge warn">${t("admin.unconfirmed")}</span>`}</p>
      <p class="muted">${[user.display_name, day(user.created_at)].filter(Boolean).join(" · ")}</p>
    </div>
    <div class="actions">
      <select aria-label=${t("admin.tier-of", { email: user.email })} value=${user.tier}
        onChange=${(event) => setTier(event.target.value)}>
        ${TIERS.map((each) => html`<option key=${each} value=${each} selected=${each === user.tier}>${t(`tier.${each}`)}</option>`)}
      </select>
      <label class="check"><input type="checkbox" checked=${isAdmin}
        disabled=${user.id === session.get().profile?.id}
        aria-label=${t("admin.admin-of", { email: user.email })}
        onChange=${(event) => setAdmin(event.target.checked)} />${t("admin.is-admin")}</label>
    </div>
  </li>`;
}
