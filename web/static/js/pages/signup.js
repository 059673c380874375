// A new account, and where its mail is.
import { useState } from "preact/hooks";
import { write } from "../api.js";
import config from "../config.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Link } from "../router.js";
import { Button, Field, Notice } from "../ui/controls.js";
import { useForm } from "../ui/form.js";
import { Icon } from "../ui/icons.js";
import { PasswordRules } from "../ui/password-rules.js";
import { Resend } from "../ui/resend.js";
import { Title } from "../ui/title.js";

export default function SignUp() {
  const [mailed, setMailed] = useState("");
  const [password, setPassword] = useState("");
  const form = useForm(async ({ email, password: chosen, display_name }) => {
    const name = display_name.trim();
    const body = { email, password: chosen, ...(name && { display_name: name }) };
    await write("POST", "/auth/signup", { body, auth: false });
    setMailed(email);
  });
  if (mailed) return html`<${CheckMail} email=${mailed} />`;
  return html`<section class="card narrow">
    <${Title}>${t("signup.title")}<//>
    <form onSubmit=${form.onSubmit}>
      ${form.message && html`<${Notice} kind="bad">${form.message}<//>`}
      <${Field} label=${t("email")} name="email" type="email" autocomplete="email" required
        error=${form.fields.email} />
      <${Field} label=${t("name")} hint=${t("name.hint")} name="display_name" autocomplete="name"
        maxlength="80" error=${form.fields.display_name} />
      <${Field} label=${t("password")} name="password" type="password" autocomplete="new-password"
        required minlength="8" maxlength="128" error=${form.fields.password}
        onInput=${(event) => setPassword(event.target.value)}>
        <${PasswordRules} password=${password} />
      <//>
      <${Button} type="submit" busy=${form.busy}>${t("signup")}<//>
    </form>
    <p class="below">${t("signup.known")} <${Link} href="/signin">${t("signin")}<//></p>
  </section>`;
}

function CheckMail({ email }) {
  return html`<section class="card narrow mailed">
    <${Icon} name="mail" />
    <${Title}>${t("mailed.title")}<//>
    <p>${t("mailed.text", { email })}</p>
    ${config.inbox_url &&
    html`<p><a class="button primary" href="${config.inbox_url}/?to=${encodeURIComponent(email)}"
      target="_blank" rel="noopener">${t("mailed.inbox")}</a></p>`}
    <p><${Link} class="button secondary" href="/signin?email=${encodeURIComponent(email)}">${t("mailed.done")}<//></p>
    <${Resend} email=${email} />
  </section>`;
}
