// Address and password, then on to what was asked for.
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Link, navigate, route } from "../router.js";
import { signIn } from "../session.js";
import { Button, Field, Notice } from "../ui/controls.js";
import { useForm } from "../ui/form.js";
import { Title } from "../ui/title.js";

export default function SignIn({ query }) {
  const form = useForm(async ({ email, password }) => {
    await signIn(email, password);
    const { view, path } = route.get();
    navigate(view === "signin" ? "/watchlist" : path, { replace: true });
  });
  return html`<section class="card narrow">
    <${Title}>${t("signin")}<//>
    <form onSubmit=${form.onSubmit}>
      ${form.message && html`<${Notice} kind="bad">${form.message}<//>`}
      <${Field} label=${t("email")} name="email" type="email" autocomplete="username" required
        defaultValue=${query.get("email") ?? ""} error=${form.fields.email} />
      <${Field} label=${t("password")} name="password" type="password" required
        autocomplete="current-password" maxlength="1024" error=${form.fields.password} />
      <${Button} type="submit" busy=${form.busy}>${t("signin")}<//>
    </form>
    <p class="below"><${Link} href="/forgot">${t("signin.forgot")}<//></p>
    <p class="below">${t("signin.new")} <${Link} href="/signup">${t("signup")}<//></p>
  </section>`;
}
