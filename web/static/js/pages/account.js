// The user's own account, in four parts.
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Tabs } from "../ui/tabs.js";
import { Title } from "../ui/title.js";
import { Activity } from "./account/activity.js";
import { Profile } from "./account/profile.js";
import { Security } from "./account/security.js";
import { Sessions } from "./account/sessions.js";
import NotFound from "./not-found.js";

const PARTS = { "": Profile, security: Security, sessions: Sessions, activity: Activity };
const TABS = [
  ["/account", "account.profile"],
  ["/account/security", "account.security"],
  ["/account/sessions", "account.sessions"],
  ["/account/activity", "account.activity"],
];

export default function Account({ argument }) {
  const Part = PARTS[argument];
  if (!Part) return html`<${NotFound} />`;
  const current = argument ? `/account/${argument}` : "/account";
  return html`
    <${Title} class="with-tabs">${t("account")}<//>
    <${Tabs} label=${t("account")} parts=${TABS} current=${current} />
    <${Part} />
  `;
}
