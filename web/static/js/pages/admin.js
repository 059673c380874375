// For admins: users with their tiers and permissions, and the audit log.
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Tabs } from "../ui/tabs.js";
import { Title } from "../ui/title.js";
import { Audit } from "./admin/audit.js";
import { Users } from "./admin/users.js";
import NotFound from "./not-found.js";

const PARTS = { "": Users, audit: Audit };
const TABS = [["/admin", "admin.users"], ["/admin/audit", "admin.audit"]];

export default function Admin({ argument }) {
  const Part = PARTS[argument];
  if (!Part) return html`<${NotFound} />`;
  const current = argument ? `/admin/${argument}` : "/admin";
  return html`
    <${Title} class="with-tabs">${t("admin")}<//>
    <${Tabs} label=${t("admin")} parts=${TABS} current=${current} />
    <${Part} />
  `;
}
