// The watchlist with live prices.
import { html } from "../html.js";
import { number, placesOf, plural, signed, t } from "../i18n.js";
import { useQuote } from "../quotes.js";
import { Link, quotePath } from "../router.js";
import { useStore } from "../store.js";
import { Button, Failure, Skeleton } from "../ui/controls.js";
import { Icon } from "../ui/icons.js";
import { LiveState, OfflineNotice } from "../ui/live-state.js";
import { Note } from "../ui/note.js";
import { Age, Change, MarketState, Price, StaleNote } from "../ui/price.js";
import { Title } from "../ui/title.js";
import { useSparklines } from "../sparklines.js";
import { Sparkline } from "../ui/sparkline.js";
import { addSymbol, loadWatchlist, removeSymbol, watchlist } from "../watchlist.js";

const SUGGESTIONS = ["AAPL", "SAP.DE", "VOD.L", "MSFT"];

export default function Watchlist() {
  const { status, items, limit, problem } = useStore(watchlist);
  return html`
    <div class="page-head">
      <div>
        <${Title}>${t("watchlist")}<//>
        ${status === "ready" &&
        html`<p class="muted">${plural("watchlist.count", items.length, { limit: number(limit) })}</p>`}
      </div>
      <${LiveState} />
    </div>
    <${OfflineNotice} />
    ${status === "loading" && html`<${Skeleton} rows=${5} />`}
    ${status === "failed" && html`<${Failure} problem=${problem} retry=${loadWatchlist} />`}
    ${status === "ready" && items.length === 0 && html`<${Empty} />`}
    ${status === "ready" && items.length > 0 && html`<${Table} items=${items} />`}
  `;
}

function Empty() {
  return html`<div class="empty">
    <${Icon} name="star" />
    <h2>${t("watchlist.empty.title")}</h2>
    <p>${t("watchlist.empty.text")}</p>
    <p class="suggestions">
      ${SUGGESTIONS.map(
        (symbol) => html`<${Button} key=${symbol} kind="secondary" onClick=${() => addSymbol(symbol)}>
          <${Icon} name="plus" />${symbol}<//>`,
      )}
    </p>
  </div>`;
}

// On a phone the rows are cards; the roles keep it a table for screen readers.
function Table({ items }) {
  const sparklines = useSparklines(items.map((item) => item.symbol));
  return html`<div class="card flush">
    <table class="watchlist" role="table">
      <caption class="visually-hidden">${t("watchlist")}</caption>
      <thead role="rowgroup">
        <tr role="row">
          <th scope="col" role="columnheader">${t("column.symbol")}</th>
          <th scope="col" role="columnheader"><span class="visually-hidden">${t("column.course")}</span></th>
          <th scope="col" role="columnheader" class="amount">${t("column.price")}</th>
          <th scope="col" role="columnheader" class="amount">${t("column.change")}</th>
          <th scope="col" role="columnheader">${t("column.age")}</th>
          <th scope="col" role="columnheader">${t("column.note")}</th>
          <th scope="col" role="columnheader"><span class="visually-hidden">${t("column.actions")}</span></th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${items.map((item) => html`<${Row} key=${item.symbol} item=${item} sparkline=${sparklines[item.symbol]} />`)}
      </tbody>
    </table>
  </div>`;
}

function Row({ item, sparkline }) {
  const quote = useQuote(item.symbol);
  return html`<tr role="row" class=${item.pending ? "pending" : ""} data-symbol=${item.symbol}>
    <th scope="row" role="rowheader">
      <${Link} href=${quotePath(item.symbol)}>${item.symbol}<//>
      <span class="name">${quote?.name ?? ""}</span>
    </th>
    <td role="cell" class="cell-course">${sparkline && html`<${Sparkline} sparkline=${sparkline} />`}</td>
    <td role="cell" class="amount cell-price">${quote ? html`<${Price} quote=${quote} />` : t("quote.none")}</td>
    <td role="cell" class="amount cell-change">${quote && html`<${Moved} quote=${quote} />`}</td>
    <td role="cell" class="cell-age">${quote && html`<${Freshness} quote=${quote} />`}</td>
    <td role="cell" class="cell-note"><${Note} item=${item} /></td>
    <td role="cell" class="cell-actions">
      ${item.pending === "accepted" && html`<span class="pending-note">${t("pending")}</span>`}
      <${Remove} symbol=${item.symbol} />
    </td>
  </tr>`;
}

function Moved({ quote }) {
  const moved = quote.previous_close === null ? null : quote.price - quote.previous_close;
  return html`<${Change} quote=${quote} />
    ${moved !== null && html`<span class="moved">${signed(moved, placesOf(quote.price))}</span>`}`;
}

function Freshness({ quote }) {
  return html`<${MarketState} state=${quote.market_state} />
    ${quote.stale ? html`<${StaleNote} quote=${quote} />` : html`<${Age} at=${quote.as_of} />`}`;
}

function Remove({ symbol }) {
  return html`<button type="button" class="icon-button" aria-label=${t("watchlist.remove", { symbol })}
    title=${t("watchlist.remove", { symbol })} onClick=${() => removeSymbol(symbol)}>
    <${Icon} name="trash" />
  </button>`;
}
