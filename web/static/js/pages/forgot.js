// Asks for a link that sets a new password. The answer is the same for every address.
import { useState } from "preact/hooks";
import { write } from "../api.js";
import config from "../config.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Link } from "../router.js";
import { Button, Field, Notice } from "../ui/controls.js";
import { useForm } from "../ui/form.js";
import { Icon } from "../ui/icons.js";
import { Title } from "../ui/title.js";

export default function Forgot() {
  const [mailed, setMailed] = useState("");
  const form = useForm(async ({ email }) => {
    await write("POST", "/auth/password/forgot", { body: { email }, auth: false });
    setMailed(email);
  });
  if (mailed) {
    return html`<section class="card narrow mailed">
      <${Icon} name="mail" />
      <${Title}>${t("mailed.title")}<//>
      <p>${t("forgot.done", { email: mailed })}</p>
      ${config.inbox_url &&
      html`<p><a class="button primary" href="${config.inbox_url}/?to=${encodeURIComponent(mailed)}"
        target="_blank" rel="noopener">${t("mailed.inbox")}</a></p>`}
    </section>`;
  }
  return html`<section class="card narrow">
    <${Title}>${t("forgot.title")}<//>
    <p>${t("forgot.text")}</p>
    <form onSubmit=${form.onSubmit}>
      ${form.message && html`<${Notice} kind="bad">${form.message}<//>`}
      <${Field} label=${t("email")} name="email" type="email" autocomplete="username" required
        error=${form.fields.email} />
      <${Button} type="submit" busy=${form.busy}>${t("forgot.send")}<//>
    </form>
    <p class="below"><${Link} href="/signin">${t("signin")}<//></p>
  </section>`;
}
