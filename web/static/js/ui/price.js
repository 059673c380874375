// A price, how it moved, and how old it is.
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { age, dateTime, percent, price, t } from "../i18n.js";
import { Icon } from "./icons.js";

export function Price({ quote }) {
  const element = useRef();
  useEffect(() => {
    if (!quote.moves || !quote.move) return;
    const name = quote.move > 0 ? "flash-up" : "flash-down";
    element.current.classList.remove("flash-up", "flash-down");
    requestAnimationFrame(() => element.current?.classList.add(name));
  }, [quote.moves]);
  return html`<span class="price" ref=${element}>${price(quote.price, quote.currency)}</span>`;
}

// Up and down differ in sign and arrow, not in colour alone.
export function Change({ quote }) {
  if (quote.change_percent === null) return html`<span class="change">–</span>`;
  const value = Number(quote.change_percent);
  const direction = value > 0 ? "up" : value < 0 ? "down" : "flat";
  return html`<span class="change ${direction}">
    ${direction !== "flat" && html`<${Icon} name=${direction} />`}${percent(value)}
  </span>`;
}

export function MarketState({ state }) {
  return html`<span class="market ${state}">${t(`market.${state}`)}</span>`;
}

// Renders again as time passes.
export function Age({ at }) {
  const [now, tick] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), 10_000);
    return () => clearInterval(timer);
  }, []);
  const shown = Math.max(now, Date.parse(at));
  return html`<time datetime=${at} title=${dateTime(at)}>${age(at, shown)}</time>`;
}

export function StaleNote({ quote }) {
  return html`<span class="stale" title=${t(`stale.${quote.stale_reason}`)}>
    <${Icon} name="clock" />${t("stale")}
  </span>`;
}
