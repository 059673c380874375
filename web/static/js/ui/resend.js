// Asks for another verification mail.
import { useState } from "preact/hooks";
import { Problem, write } from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { messageOf } from "../problems.js";
import { say } from "../toasts.js";
import { Button } from "./controls.js";

export function Resend({ email }) {
  const [busy, setBusy] = useState(false);
  const resend = async () => {
    setBusy(true);
    try {
      await write("POST", "/auth/verify/resend", { body: { email }, auth: false });
      say(t("resend.done", { email }));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      say(messageOf(error), "bad");
    } finally {
      setBusy(false);
    }
  };
  return html`<p class="below">${t("resend.question")}
    <${Button} kind="link" busy=${busy} onClick=${resend}>${t("resend")}<//></p>`;
}
