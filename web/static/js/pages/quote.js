// One security: its price, how old that is and where it is from.
import { useEffect, useState } from "preact/hooks";
import { Problem } from "../api.js";
import { html } from "../html.js";
import { dateTime, number, placesOf, price, signed, t } from "../i18n.js";
import { refresh, useQuote } from "../quotes.js";
import { Link, quotePath } from "../router.js";
import { useStore } from "../store.js";
import { Button, Failure, Notice, Skeleton } from "../ui/controls.js";
import { History } from "../ui/history.js";
import { Icon } from "../ui/icons.js";
import { OfflineNotice } from "../ui/live-state.js";
import { Age, Change, MarketState, Price } from "../ui/price.js";
import { Title } from "../ui/title.js";
import { addSymbol, isWatched, removeSymbol, watchlist } from "../watchlist.js";

const RENEW_MS = 15_000;

// Asks now, and again from time to time while the page is looked at.
function usePolled(symbol) {
  const [problem, setProblem] = useState(null);
  const [attempt, retry] = useState(0);
  useEffect(() => {
    const control = new AbortController();
    const ask = async () => {
      try {
        await refresh(symbol, control.signal);
        setProblem(null);
      } catch (error) {
        if (error instanceof Problem) setProblem(error);
      }
    };
    ask();
    const timer = setInterval(() => document.visibilityState === "visible" && ask(), RENEW_MS);
    return () => {
      clearInterval(timer);
      control.abort();
    };
  }, [symbol, attempt]);
  return { problem, retry: () => retry(attempt + 1) };
}

export default function QuotePage({ argument: symbol }) {
  const quote = useQuote(symbol);
  const { problem, retry } = usePolled(symbol);
  if (problem?.code === "unknown-symbol") return html`<${Unknown} symbol=${symbol} problem=${problem} />`;
  return html`
    <div class="page-head">
      <div>
        <p class="eyebrow">${symbol}</p>
        <${Title} text=${[symbol, quote?.name].filter(Boolean).join(" ")}>${quote?.name ?? symbol}<//>
      </div>
      ${quote && html`<${WatchButton} symbol=${quote.symbol} />`}
    </div>
    <${OfflineNotice} />
    ${!quote && problem && html`<${Failure} problem=${problem} retry=${retry} />`}
    ${!quote && !problem && html`<${Skeleton} />`}
    ${quote && html`<${Quote} quote=${quote} problem=${problem} />`}
  `;
}

function Quote({ quote, problem }) {
  return html`
    ${problem && html`<${Notice} kind="warn">${t("quote.not-renewed")}<//>`}
    <${Headline} quote=${quote} />
    ${quote.stale && html`<${Stale} quote=${quote} />`}
    <${History} symbol=${quote.symbol} />
    <${Details} quote=${quote} />
  `;
}

function Headline({ quote }) {
  const moved = quote.previous_close === null ? null : quote.price - quote.previous_close;
  return html`<div class="headline">
    <${Price} quote=${quote} />
    <p class="headline-move">
      <${Change} quote=${quote} />
      ${moved !== null && html`<span class="moved">${signed(moved, placesOf(quote.price))}</span>`}
      <span class="muted">${t("quote.since-close")}</span>
    </p>
    <p class="headline-when">
      <${MarketState} state=${quote.market_state} />
      <span class="muted">${t("quote.price-of")} <${Age} at=${quote.as_of} /></span>
    </p>
  </div>`;
}

function Stale({ quote }) {
  return html`<${Notice} kind="warn" icon="clock" title=${t("stale.title")}>
    ${t(`stale.${quote.stale_reason}`)} ${t("stale.last")} <${Age} at=${quote.fetched_at} />.
  <//>`;
}

function Details({ quote }) {
  const rows = [
    ["previous-close", quote.previous_close && price(quote.previous_close, quote.currency)],
    ["currency", quote.currency],
    ["quoted-unit", quote.quoted_unit !== quote.currency && quote.quoted_unit],
    ["as-of", html`<time datetime=${quote.as_of}>${dateTime(quote.as_of)}</time>`],
    ["fetched-at", html`<${Age} at=${quote.fetched_at} />`],
    ["delay", quote.delay_minutes ? t("quote.minutes", { count: number(quote.delay_minutes) }) : t("quote.no-delay")],
    ["source", quote.source === "sandbox" ? t("source.sandbox") : quote.source],
  ];
  return html`<section class="card">
    <h2>${t("quote.details")}</h2>
    <dl class="details">
      ${rows.filter(([, value]) => value).map(
        ([key, value]) => html`<div key=${key}><dt>${t(`quote.${key}`)}</dt><dd>${value}</dd></div>`,
      )}
    </dl>
  </section>`;
}

function WatchButton({ symbol }) {
  const isIn = useStore(watchlist, (state) => isWatched(state, symbol));
  const isLoading = useStore(watchlist, (state) => state.status === "loading");
  const toggle = () => (isIn ? removeSymbol(symbol) : addSymbol(symbol));
  return html`<${Button} kind=${isIn ? "secondary watched" : "primary"} disabled=${isLoading}
    aria-pressed=${isIn} onClick=${toggle}>
    <${Icon} name="star" filled=${isIn} />${t(isIn ? "quote.watched" : "quote.watch")}
  <//>`;
}

function Unknown({ symbol, problem }) {
  const meant = /^Did you mean (\S+)\?$/.exec(problem.detail ?? "")?.[1];
  return html`<div class="empty">
    <${Icon} name="search" />
    <${Title}>${t("quote.unknown", { symbol })}<//>
    ${meant
      ? html`<p>${t("quote.meant")} <${Link} href=${quotePath(meant)}>${meant}<//></p>`
      : html`<p>${t("quote.unknown.text")}</p>`}
  </div>`;
}
