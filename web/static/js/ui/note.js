// A note that is edited where it stands.
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { saveNote } from "../watchlist.js";
import { Icon } from "./icons.js";

const MAX_LENGTH = 280;

export function Note({ item: { symbol, note } }) {
  const [text, setText] = useState(null); // null: it is shown, not edited
  const input = useRef();
  const opener = useRef();
  const isOpen = text !== null;
  useEffect(() => {
    if (isOpen) input.current.focus();
  }, [isOpen]);

  const close = (save) => {
    const typed = input.current.value.trim();
    if (save && typed !== (note ?? "")) saveNote(symbol, typed);
    setText(null);
    requestAnimationFrame(() => opener.current?.focus());
  };
  if (!isOpen) {
    return html`<button type="button" ref=${opener} class="note ${note ? "" : "no-note"}"
      onClick=${() => setText(note ?? "")}>
      <span class="visually-hidden">${t("note.edit", { symbol })}: </span>
      <span class="note-text">${note ?? t("note.add")}</span><${Icon} name="edit" />
    </button>`;
  }
  return html`<form class="note-form" onSubmit=${(event) => {
    event.preventDefault();
    close(true);
  }}>
    <input ref=${input} value=${text} maxlength=${MAX_LENGTH} aria-label=${t("note.label", { symbol })}
      onInput=${(event) => setText(event.target.value)}
      onKeyDown=${(event) => event.key === "Escape" && close(false)} />
    <button type="submit" class="icon-button" aria-label=${t("save")}><${Icon} name="check" /></button>
    <button type="button" class="icon-button" aria-label=${t("cancel")} onClick=${() => close(false)}>
      <${Icon} name="close" />
    </button>
  </form>`;
}
