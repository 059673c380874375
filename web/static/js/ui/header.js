// The head of the page: name, search, and where one can go.
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Link, navigate, route } from "../router.js";
import { session, signOut } from "../session.js";
import { useStore } from "../store.js";
import { messageOf } from "../problems.js";
import { say } from "../toasts.js";
import { Icon } from "./icons.js";
import { SearchBox } from "./search-box.js";

export function Header() {
  const { status, profile } = useStore(session);
  const isVerified = Boolean(profile?.email_confirmed_at);
  return html`<header class="top ${status}">
    <div class="top-inner">
      <${Link} class="brand" href=${isVerified ? "/watchlist" : "/"} aria-label="QNT9">
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" /><path d="M6 21l6-7 5 4 8-10" /></svg>
        <span>QNT9</span>
      <//>
      ${isVerified && html`<${SearchBox} />`}
      <nav aria-label=${t("nav.label")}>
        ${status === "signed-in" ? html`<${UserLinks} profile=${profile} isVerified=${isVerified} />` : ""}
        ${status === "anonymous" ? html`<${GuestLinks} />` : ""}
      </nav>
    </div>
  </header>`;
}

function GuestLinks() {
  return html`
    <${NavLink} href="/signin" view="signin">${t("signin")}<//>
    <${Link} class="button primary small" href="/signup">${t("signup")}<//>
  `;
}

function UserLinks({ profile, isVerified }) {
  const leave = async () => {
    try {
      await signOut();
      navigate("/");
    } catch (error) {
      say(messageOf(error), "bad");
    }
  };
  return html`
    ${isVerified && html`<${NavLink} href="/watchlist" view="watchlist">${t("watchlist")}<//>`}
    ${isVerified && profile.permissions.includes("admin") &&
    html`<${NavLink} href="/admin" view="admin">${t("admin")}<//>`}
    <${NavLink} href="/account" view="account" label=${t("account")}>
      <${Icon} name="user" /><span class="wide-only">${profile.display_name ?? t("account")}</span>
    <//>
    <button type="button" class="nav-link" onClick=${leave}>${t("signout")}</button>
  `;
}

function NavLink({ href, view, label, children }) {
  const at = useStore(route);
  return html`<${Link} class="nav-link" href=${href} aria-label=${label}
    aria-current=${at.view === view ? "page" : undefined}>${children}<//>`;
}
