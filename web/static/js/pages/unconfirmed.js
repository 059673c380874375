// For a user whose address is not confirmed yet. Looks again until it is.
import { useEffect, useState } from "preact/hooks";
import { Problem } from "../api.js";
import config from "../config.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { loadProfile, renew, session } from "../session.js";
import { useStore } from "../store.js";
import { say } from "../toasts.js";
import { Button } from "../ui/controls.js";
import { Icon } from "../ui/icons.js";
import { Resend } from "../ui/resend.js";
import { Title } from "../ui/title.js";

const LOOK_MS = 4000;

async function look() {
  const profile = await loadProfile();
  if (profile.email_confirmed_at) await renew();
  return profile.email_confirmed_at !== null;
}

export default function Unconfirmed() {
  const email = useStore(session, ({ profile }) => profile?.email);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    const timer = setInterval(() => look().catch(() => {}), LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  const lookNow = async () => {
    setBusy(true);
    try {
      if (!(await look())) say(t("unconfirmed.not-yet"), "bad");
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    } finally {
      setBusy(false);
    }
  };
  return html`<section class="card narrow mailed">
    <${Icon} name="mail" />
    <${Title}>${t("unconfirmed.title")}<//>
    <p>${t("unconfirmed.text", { email })}</p>
    ${config.inbox_url &&
    html`<p><a class="button primary" href="${config.inbox_url}/?to=${encodeURIComponent(email ?? "")}"
      target="_blank" rel="noopener">${t("mailed.inbox")}</a></p>`}
    <p><${Button} kind="secondary" busy=${busy} onClick=${lookNow}>${t("unconfirmed.look")}<//></p>
    <${Resend} email=${email} />
  </section>`;
}
