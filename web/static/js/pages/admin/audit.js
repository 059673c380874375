// The audit log, filtered, and its export.
import { useState } from "preact/hooks";
import { Problem, get } from "../../api.js";
import { html } from "../../html.js";
import { dateTime, has, t } from "../../i18n.js";
import { messageOf } from "../../problems.js";
import { say } from "../../toasts.js";
import { Button, Field } from "../../ui/controls.js";
import { Loaded } from "../../ui/loaded.js";
import { More, usePaged } from "../../ui/paged.js";
import { actionText } from "../account/activity.js";

const instant = (text) => (text ? new Date(text).toISOString() : "");

function filtersOf(form) {
  const { user_id, action, from, to } = Object.fromEntries(new FormData(form));
  return { user_id: user_id.trim(), action: action.trim(), from: instant(from), to: instant(to) };
}

export function Audit() {
  const [filters, filter] = useState({});
  const [busy, setBusy] = useState(false);
  const paged = usePaged("/admin/audit", "entries", filters);
  const save = async () => {
    setBusy(true);
    try {
      download(await all(filters));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      say(messageOf(error), "bad");
    } finally {
      setBusy(false);
    }
  };
  return html`
    <form class="filters" onSubmit=${(event) => {
      event.preventDefault();
      filter(filtersOf(event.currentTarget));
    }}>
      <${Field} label=${t("audit.user")} name="user_id" pattern="[0-9a-fA-F-]{36}" />
      <${Field} label=${t("audit.action")} name="action" placeholder="user.signin" maxlength="64" />
      <${Field} label=${t("audit.from")} name="from" type="datetime-local" />
      <${Field} label=${t("audit.to")} name="to" type="datetime-local" />
      <${Button} type="submit">${t("search")}<//>
      <${Button} kind="secondary" busy=${busy} onClick=${save}>${t("audit.export")}<//>
    </form>
    <section class="card flush">
      <${Loaded} of=${paged} rows=${8}>${({ entries }) => html`
        ${entries.length === 0 && html`<p class="rows-note">${t("admin.none")}</p>`}
        <ul class="rows">${entries.map((each) => html`<${Entry} key=${each.id} entry=${each} />`)}</ul>
        <${More} of=${paged} />
      `}<//>
    </section>`;
}

function Entry({ entry }) {
  const where = [entry.ip_address, entry.user_agent].filter(Boolean).join(" · ");
  return html`<li>
    <div>
      <p class="row-title">${actionText(entry.action)} ${has(`action.${entry.action}`) && html`<code>${entry.action}</code>`}</p>
      <p class="muted clipped">${[entry.user_id, where].filter(Boolean).join(" · ")}</p>
    </div>
    <time class="muted" datetime=${entry.created_at}>${dateTime(entry.created_at)}</time>
  </li>`;
}

const EXPORTED_AT_ONCE = 100;
const MAX_EXPORTED = 10_000;

async function all(filters) {
  const entries = [];
  let cursor = "";
  do {
    const query = new URLSearchParams({ limit: EXPORTED_AT_ONCE });
    for (const [name, value] of Object.entries({ ...filters, cursor })) if (value) query.set(name, value);
    const page = await get(`/admin/audit?${query}`);
    entries.push(...page.entries);
    cursor = page.next_cursor;
  } while (cursor && entries.length < MAX_EXPORTED);
  return entries;
}

// One JSON document a line, as tools read it.
function download(entries) {
  const text = entries.map((each) => `${JSON.stringify(each)}\n`).join("");
  const url = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: "audit.ndjson" });
  link.click();
  URL.revokeObjectURL(url);
}
