// What takes the password: a new password, another address, the end of the account.
import { useState } from "preact/hooks";
import { write } from "../../api.js";
import { html } from "../../html.js";
import { t } from "../../i18n.js";
import { navigate } from "../../router.js";
import { forget } from "../../session.js";
import { say } from "../../toasts.js";
import { Button, Field, Notice } from "../../ui/controls.js";
import { Dialog } from "../../ui/dialog.js";
import { useForm } from "../../ui/form.js";
import { PasswordRules } from "../../ui/password-rules.js";

export const Security = () =>
  html`<${ChangePassword} /><${ChangeEmail} /><${Erase} />`;

function ChangePassword() {
  const [password, setPassword] = useState("");
  const [round, setRound] = useState(0); // a new round has empty fields
  const form = useForm(async ({ current_password, new_password }) => {
    const body = { current_password, new_password };
    await write("POST", "/auth/password/change", { body, onPending: () => say(t("pending")) });
    setPassword("");
    setRound(round + 1);
    say(t("password.changed"));
  });
  return html`<section class="card">
    <h2>${t("password.change")}</h2>
    <form key=${round} class="limited" onSubmit=${form.onSubmit}>
      ${form.message && html`<${Notice} kind="bad">${form.message}<//>`}
      <${Field} label=${t("password.current")} name="current_password" type="password" required
        autocomplete="current-password" error=${form.fields.current_password} />
      <${Field} label=${t("password.new")} name="new_password" type="password" required
        autocomplete="new-password" minlength="8" maxlength="128"
        error=${form.fields.new_password ?? form.fields.password}
        onInput=${(event) => setPassword(event.target.value)}>
        <${PasswordRules} password=${password} />
      <//>
      <div><${Button} type="submit" busy=${form.busy}>${t("password.change")}<//></div>
    </form>
  </section>`;
}

function ChangeEmail() {
  const [mailed, setMailed] = useState("");
  const form = useForm(async ({ new_email, password }) => {
    await write("POST", "/auth/email/change", { body: { new_email, password } });
    setMailed(new_email);
  });
  return html`<section class="card">
    <h2>${t("email.change")}</h2>
    <p class="muted">${t("email.change.text")}</p>
    ${mailed && html`<${Notice} icon="mail">${t("email.change.done", { email: mailed })}<//>`}
    <form class="limited" onSubmit=${form.onSubmit}>
      ${form.message && html`<${Notice} kind="bad">${form.message}<//>`}
      <${Field} label=${t("email.new")} name="new_email" type="email" autocomplete="email" required
        error=${form.fields.new_email} />
      <${Field} label=${t("password.current")} name="password" type="password" required
        autocomplete="current-password" error=${form.fields.password} />
      <div><${Button} type="submit" busy=${form.busy}>${t("email.change")}<//></div>
    </form>
  </section>`;
}

function Erase() {
  const [isOpen, open] = useState(false);
  const form = useForm(async ({ password }) => {
    await write("POST", "/users/me/erase", { body: { password } });
    forget();
    navigate("/");
    say(t("erase.done"));
  });
  return html`<section class="card">
    <h2>${t("erase")}</h2>
    <p class="muted">${t("erase.text")}</p>
    <p class="actions"><${Button} kind="danger" onClick=${() => open(true)}>${t("erase")}<//></p>
    ${isOpen &&
    html`<${Dialog} title=${t("erase.title")} onClose=${() => open(false)}>
      <p>${t("erase.warning")}</p>
      <form onSubmit=${form.onSubmit}>
        ${form.message && html`<${Notice} kind="bad">${form.message}<//>`}
        <${Field} label=${t("password.current")} name="password" type="password" required
          autocomplete="current-password" error=${form.fields.password} />
        <div class="actions">
          <${Button} kind="danger" type="submit" busy=${form.busy}>${t("erase.confirm")}<//>
          <${Button} kind="secondary" onClick=${(event) => event.target.closest("dialog").close()}>
            ${t("cancel")}<//>
        </div>
      </form>
    <//>`}
  </section>`;
}
