// The rules of a new password, each marked when it is met. The gateway decides.
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Icon } from "./icons.js";

const RULES = {
  length: (text) => text.length >= 8 && text.length <= 128,
  upper: (text) => /\p{Lu}/u.test(text),
  lower: (text) => /\p{Ll}/u.test(text),
  digit: (text) => /\p{Nd}/u.test(text),
  special: (text) => /[^\p{L}\p{N}\s]/u.test(text),
};

export function PasswordRules({ password }) {
  return html`<ul class="rules" aria-label=${t("rules.label")}>
    ${Object.entries(RULES).map(
      ([name, isMet]) => html`<li key=${name} class=${isMet(password) ? "met" : ""}>
        ${isMet(password) ? html`<${Icon} name="check" />` : html`<span class="dot" aria-hidden="true"></span>`}
        ${t(`rules.${name}`)}
        <span class="visually-hidden">${isMet(password) ? t("rules.met") : ""}</span>
      </li>`,
    )}
  </ul>`;
}
