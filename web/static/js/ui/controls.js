// Buttons, fields and what is shown while something is loaded or missing.
import { useId, useState } from "preact/hooks";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { messageOf } from "../problems.js";
import { Icon } from "./icons.js";

export function Button({ busy = false, kind = "primary", children, ...rest }) {
  return html`<button type="button" class="button ${kind}" aria-busy=${busy} disabled=${busy} ...${rest}>
    ${busy && html`<span class="spinner" aria-hidden="true"></span>`}${children}
  </button>`;
}

// A labelled input with its hint and its fault, which screen readers read with it.
export function Field({ label, hint, error, type = "text", children, ...rest }) {
  const id = useId();
  const [isShown, show] = useState(false);
  const isPassword = type === "password";
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <div class="input">
      <input id=${id} type=${isPassword && isShown ? "text" : type} aria-invalid=${error ? "true" : undefined}
        aria-describedby=${described || undefined} ...${rest} />
      ${isPassword &&
      html`<button type="button" class="reveal" aria-pressed=${isShown} onClick=${() => show(!isShown)}>
        ${t(isShown ? "password.hide" : "password.show")}
      </button>`}
    </div>
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
    ${error && html`<p class="error" id="${id}-error">${error}</p>`}
    ${children}
  </div>`;
}

export function Notice({ kind = "info", icon = "warning", title, children, action }) {
  return html`<div class="notice ${kind}" role=${kind === "bad" ? "alert" : undefined}>
    <${Icon} name=${icon} />
    <div class="notice-text">${title && html`<strong>${title}</strong>`}<div>${children}</div></div>
    ${action}
  </div>`;
}

export function Failure({ problem, retry }) {
  const icon = problem.code === "offline" ? "offline" : "warning";
  return html`<div class="empty" role="alert">
    <${Icon} name=${icon} />
    <h2>${t(problem.code === "offline" ? "offline.title" : "failure.title")}</h2>
    <p>${messageOf(problem)}</p>
    ${retry && html`<${Button} kind="secondary" onClick=${retry}>${t("retry")}<//>`}
  </div>`;
}

export function Skeleton({ rows = 4 }) {
  return html`<div class="skeletons" aria-busy="true">
    <p class="visually-hidden" role="status">${t("loading")}</p>
    ${Array.from({ length: rows }, (_, row) => html`<div key=${row} class="skeleton" aria-hidden="true"></div>`)}
  </div>`;
}
