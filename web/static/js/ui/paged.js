// A long list, page by page: `next_cursor` leads to the next one.
import { useState } from "preact/hooks";
import { Problem, get } from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { messageOf } from "../problems.js";
import { say } from "../toasts.js";
import { Button } from "./controls.js";
import { useLoaded } from "./loaded.js";

const PAGE = 25;

function addressOf(path, filters, cursor) {
  const query = new URLSearchParams({ limit: PAGE });
  for (const [name, value] of Object.entries(filters)) if (value) query.set(name, value);
  if (cursor) query.set("cursor", cursor);
  return `${path}?${query}`;
}

// `name`: under which the rows are in the answer.
export function usePaged(path, name, filters = {}) {
  const [busy, setBusy] = useState(false);
  const loaded = useLoaded(
    (signal) => get(addressOf(path, filters), { signal }),
    [path, JSON.stringify(filters)],
  );
  const more = async () => {
    setBusy(true);
    try {
      const next = await get(addressOf(path, filters, loaded.data.next_cursor));
      loaded.setData({ ...next, [name]: [...loaded.data[name], ...next[name]] });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      say(messageOf(error), "bad");
    } finally {
      setBusy(false);
    }
  };
  return { ...loaded, more, busy };
}

export function More({ of }) {
  if (!of.data?.next_cursor) return null;
  return html`<p class="rows-note">
    <${Button} kind="secondary" busy=${of.busy} onClick=${of.more}>${t("more")}<//>
  </p>`;
}
