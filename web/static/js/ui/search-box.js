// Search as you type: a combobox (WAI-ARIA Authoring Practices) with debounce and cancellation.
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { navigate, quotePath } from "../router.js";
import { isWaiting, useSearch } from "../search.js";
import { Icon } from "./icons.js";

export function SearchBox() {
  const [text, setText] = useState("");
  const [isOpen, open] = useState(false);
  const [activeSymbol, activate] = useState(null);
  const input = useRef();
  const id = useId();
  const state = useSearch(text);
  const candidates = state.found?.candidates ?? [];
  const wanted = text.trim();
  // By symbol: results that come after a key was pressed move the choice, they do not lose it.
  const active = candidates.findIndex((each) => each.symbol === activeSymbol);

  useEffect(() => {
    const focusBySlash = (event) => {
      if (event.key !== "/" || event.target.closest("input, textarea, select")) return;
      event.preventDefault();
      input.current.focus();
    };
    addEventListener("keydown", focusBySlash);
    return () => removeEventListener("keydown", focusBySlash);
  }, []);

  const go = (path) => {
    open(false);
    setText("");
    activate(null);
    input.current.blur();
    navigate(path);
  };
  const choose = () => {
    if (active >= 0) go(quotePath(candidates[active].symbol));
    else if (wanted) go(`/search?q=${encodeURIComponent(wanted)}`);
  };
  const onKey = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && candidates.length) {
      event.preventDefault();
      open(true);
      const last = candidates.length - 1;
      const next = active + step > last ? 0 : active + step < 0 ? last : active + step;
      activate(candidates[next].symbol);
    } else if (event.key === "Enter") {
      event.preventDefault();
      choose();
    } else if (event.key === "Escape") {
      if (isOpen) open(false);
      else setText("");
    }
  };
  const isShown = isOpen && wanted !== "";
  return html`<search class="search" onFocusOut=${(event) => {
    if (!event.currentTarget.contains(event.relatedTarget)) open(false);
  }}>
    <label class="visually-hidden" for=${id}>${t("search.label")}</label>
    <${Icon} name="search" />
    <input id=${id} ref=${input} type="search" role="combobox" autocomplete="off" spellcheck=${false}
      maxlength="64" placeholder=${t("search.placeholder")} value=${text} aria-autocomplete="list"
      aria-expanded=${isShown && candidates.length > 0} aria-controls="${id}-list"
      aria-activedescendant=${active >= 0 ? `${id}-${active}` : undefined}
      onInput=${(event) => {
        setText(event.target.value);
        activate(null);
        open(true);
      }}
      onFocus=${() => open(true)} onKeyDown=${onKey} />
    <kbd aria-hidden="true">/</kbd>
    <div class="results" hidden=${!isShown}>
      <div id="${id}-list" role="listbox" aria-label=${t("search.results")}>
        ${candidates.map(
          (each, place) => html`<div key=${each.symbol} id="${id}-${place}" role="option"
            aria-selected=${place === active} class="result"
            onMouseDown=${(event) => event.preventDefault()}
            onClick=${() => go(quotePath(each.symbol))}><${Candidate} candidate=${each} /></div>`,
        )}
      </div>
      <p class="results-note" role="status"><${Note} state=${state} /></p>
    </div>
  </search>`;
}

export function Candidate({ candidate: { symbol, name, exchange, currency, isin } }) {
  return html`<span class="symbol">${symbol}</span><span class="name">${name}</span>
    <span class="where">${[exchange, currency, isin].filter(Boolean).join(" · ")}</span>`;
}

export function Note({ state }) {
  if (isWaiting(state)) return t("search.waiting");
  if (state.message) return state.message;
  if (!state.found) return "";
  if (!state.found.complete) return t("search.incomplete");
  return state.found.candidates.length ? "" : t("search.none", { text: state.found.query });
}
