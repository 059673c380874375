// The link of a verification mail. That of a sign-up also takes the password that was chosen.
import { useState } from "preact/hooks";
import { Problem, write } from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Link } from "../router.js";
import { Button, Field, Notice } from "../ui/controls.js";
import { useForm } from "../ui/form.js";
import { Icon } from "../ui/icons.js";
import { useMailedToken } from "../ui/mailed-token.js";
import { Title } from "../ui/title.js";

export default function Verify({ query }) {
  const token = useMailedToken(query);
  const [needsProof, askForProof] = useState(false);
  const [isDone, finish] = useState(false);
  const form = useForm(async ({ password }) => {
    try {
      const body = password ? { token, password } : { token };
      await write("POST", "/auth/verify", { body, auth: false });
      finish(true);
    } catch (error) {
      if (error instanceof Problem && error.code === "proof-required") askForProof(true);
      else throw error;
    }
  });
  if (isDone) return html`<${Done} title=${t("verify.done")} />`;
  return html`<section class="card narrow">
    <${Title}>${t("verify.title")}<//>
    <form onSubmit=${form.mailed.onSubmit}>
      ${form.message && html`<${Notice} kind="bad">${form.message}<//>`}
      ${needsProof
        ? html`<p role="status">${t("verify.proof")}</p>
            <${Field} label=${t("password")} hint=${t("verify.why")} name="password" type="password"
              required autocomplete="current-password" maxlength="1024" autofocus />`
        : html`<p>${t("verify.text")}</p>`}
      <${Button} type="submit" busy=${form.busy} onClick=${form.mailed.onClick}>${t("verify.confirm")}<//>
    </form>
  </section>`;
}

export function Done({ title, text }) {
  return html`<section class="card narrow mailed">
    <${Icon} name="check" />
    <${Title}>${title}<//>
    ${text && html`<p>${text}</p>`}
    <p><${Link} class="button primary" href="/signin">${t("signin")}<//></p>
  </section>`;
}
