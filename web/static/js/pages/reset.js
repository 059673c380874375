// Links that end with a new password: a forgotten one, and an address change that is undone.
import { useState } from "preact/hooks";
import { write } from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { forget } from "../session.js";
import { Button, Field, Notice } from "../ui/controls.js";
import { useForm } from "../ui/form.js";
import { useMailedToken } from "../ui/mailed-token.js";
import { PasswordRules } from "../ui/password-rules.js";
import { Title } from "../ui/title.js";
import { Done } from "./verify.js";

const PATHS = { reset: "/auth/password/reset", undo: "/auth/email/undo" };

export default function Reset({ query, view }) {
  const token = useMailedToken(query);
  const [password, setPassword] = useState("");
  const [isDone, finish] = useState(false);
  const form = useForm(async ({ new_password }) => {
    await write("POST", PATHS[view], { body: { token, new_password }, auth: false });
    forget();
    finish(true);
  });
  if (isDone) return html`<${Done} title=${t(`${view}.done`)} text=${t("reset.everywhere")} />`;
  return html`<section class="card narrow">
    <${Title}>${t(`${view}.title`)}<//>
    <p>${t(`${view}.text`)}</p>
    <form onSubmit=${form.mailed.onSubmit}>
      ${form.message && html`<${Notice} kind="bad">${form.message}<//>`}
      <${Field} label=${t("password.new")} name="new_password" type="password" required
        autocomplete="new-password" minlength="8" maxlength="128"
        error=${form.fields.new_password ?? form.fields.password}
        onInput=${(event) => setPassword(event.target.value)}>
        <${PasswordRules} password=${password} />
      <//>
      <${Button} type="submit" busy=${form.busy} onClick=${form.mailed.onClick}>${t(`${view}.confirm`)}<//>
    </form>
  </section>`;
}
