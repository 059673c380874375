// The history of a price: a choice of ranges, the chart, and its figures in words.
import { useState } from "preact/hooks";
import { get } from "../api.js";
import { html } from "../html.js";
import { price, t } from "../i18n.js";
import { Notice } from "./controls.js";
import { Chart } from "./chart.js";
import { Loaded, useLoaded } from "./loaded.js";

const RANGES = ["1d", "5d", "1mo", "6mo", "ytd", "1y", "5y", "max"];

export function History({ symbol }) {
  const [range, choose] = useState("1d");
  const path = `/quotes/${encodeURIComponent(symbol)}/history?range=${range}`;
  const loaded = useLoaded((signal) => get(path, { signal }), [path]);
  return html`<section class="card history" aria-label=${t("chart.title")}>
    <div class="ranges" role="group" aria-label=${t("chart.range")}>
      ${RANGES.map(
        (each) => html`<button key=${each} type="button" aria-pressed=${each === range}
          onClick=${() => choose(each)}>${t(`range.${each}`)}</button>`,
      )}
    </div>
    <div class="chart-place" aria-busy=${loaded.data?.range !== range && !loaded.problem}>
      <${Loaded} of=${loaded} rows=${1}>${(history) => html`
        ${history.stale && html`<${Notice} kind="warn" icon="clock">${t(`stale.${history.stale_reason}`)}<//>`}
        <${Course} history=${history} />
      `}<//>
    </div>
  </section>`;
}

function Course({ history }) {
  const closes = history.points.filter(({ close }) => close !== null);
  if (closes.length === 0) return html`<p class="muted">${t("chart.empty")}</p>`;
  const values = closes.flatMap(({ low, high, close }) => [low ?? close, high ?? close]);
  const least = values.reduce((a, b) => (Number(b) < Number(a) ? b : a));
  const most = values.reduce((a, b) => (Number(b) > Number(a) ? b : a));
  const figures = [["first", closes[0].close], ["high", most], ["low", least]];
  return html`
    <${Chart} history=${history} />
    <dl class="details figures">
      ${figures.map(([key, value]) => html`<div key=${key}>
        <dt>${t(`chart.${key}`)}</dt><dd>${price(value, history.currency)}</dd></div>`)}
    </dl>`;
}
