// The course of a price over a time. Points are as far apart as trading was, so that nights and
// weekends take no room; a hole in the data is a hole in the line.
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { axisTime, dateTime, day, percent, price, t } from "../i18n.js";
import { theme } from "../theme.js";
import { useStore } from "../store.js";
import { loadUPlot } from "./uplot.js";

const HEIGHT = 300;
const STEPS = [1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500];
const KEYS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -1e9, End: 1e9 };

export function Chart({ history }) {
  const box = useRef();
  const plot = useRef(null);
  const [at, setAt] = useState(null);
  const [failed, setFailed] = useState(false);
  const shownTheme = useStore(theme);
  const isDark = useDarkMode();
  const { points } = history;
  const closes = points.map(({ close }) => (close === null ? null : Number(close)));

  useEffect(() => {
    let isGone = false;
    const sized = new ResizeObserver(([entry]) =>
      plot.current?.setSize({ width: entry.contentRect.width, height: HEIGHT }),
    );
    loadUPlot().then(
      (uPlot) => {
        if (isGone) return;
        const options = optionsOf(box.current, history, closes, setAt);
        plot.current = new uPlot(options, [closes.map((_, place) => place), closes], box.current);
        sized.observe(box.current);
      },
      () => setFailed(true),
    );
    return () => {
      isGone = true;
      sized.disconnect();
      plot.current?.destroy();
      plot.current = null;
      setAt(null);
    };
  }, [history, shownTheme, isDark]);

  const onKey = (event) => {
    const step = KEYS[event.key];
    if (!step || !plot.current) return;
    event.preventDefault();
    const last = closes.length - 1;
    const next = Math.min(last, Math.max(0, (at ?? last) + step));
    const left = plot.current.valToPos(next, "x");
    plot.current.setCursor({ left, top: HEIGHT / 3 });
  };
  if (failed) return html`<p class="muted">${t("chart.failed")}</p>`;
  return html`
    <p class="chart-readout" aria-live="polite"><${Readout} history=${history} at=${at} /></p>
    <div class="chart" role="application" tabindex="0" aria-label=${t("chart.label", { name: history.name })}
      aria-roledescription=${t("chart.role")} ref=${box} onKeyDown=${onKey}>
      <span class="probe line" hidden></span><span class="probe ${direction(history, closes)}" hidden></span>
    </div>`;
}

function useDarkMode() {
  const query = matchMedia("(prefers-color-scheme: dark)");
  const [isDark, set] = useState(query.matches);
  useEffect(() => {
    const look = () => set(query.matches);
    query.addEventListener("change", look);
    return () => query.removeEventListener("change", look);
  }, []);
  return isDark;
}

const firstOf = (history, closes) =>
  history.range === "1d" && history.previous_close !== null
    ? Number(history.previous_close)
    : closes.find((close) => close !== null);

function direction(history, closes) {
  const last = closes.findLast((close) => close !== null);
  return last >= firstOf(history, closes) ? "up" : "down";
}

// Without a cursor: what became of the price over the whole range.
function Readout({ history, at }) {
  const closes = history.points.map(({ close }) => close);
  const first = firstOf(history, closes.map((close) => (close === null ? null : Number(close))));
  const place = at ?? closes.findLastIndex((close) => close !== null);
  const point = history.points[place];
  if (!point) return "";
  const isDaily = !["5m", "15m", "30m", "1h"].includes(history.interval);
  const when = isDaily ? day(point.time) : dateTime(point.time);
  if (point.close === null) return html`<span class="muted">${when}</span> ${t("chart.hole")}`;
  const change = (Number(point.close) / first - 1) * 100;
  return html`<strong>${price(point.close, history.currency)}</strong>
    <span class="change ${change >= 0 ? "up" : "down"}">${percent(change)}</span>
    <span class="muted">${when}</span>`;
}

function optionsOf(box, history, closes, setAt) {
  const colour = (selector) => getComputedStyle(box.querySelector(selector)).color;
  const line = colour(`.${direction(history, closes)}`);
  const muted = getComputedStyle(box).color;
  const grid = { stroke: colour(".line"), width: 1 };
  const font = `12px ${getComputedStyle(box).fontFamily}`;
  const axis = { stroke: muted, font, grid, ticks: { show: false } };
  const label = axisTime(history.range);
  return {
    width: box.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    scales: { x: { time: false }, y: { range: (_, low, high) => padded(low, high) } },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 9, fill: line } },
    axes: [
      { ...axis, grid: { show: false }, incrs: STEPS, space: 80, size: 28,
        values: (_, places) => places.map((place) => labelAt(history, place, label)) },
      { ...axis, side: 1, size: 64, values: (_, values) => values.map(plainNumber(values)) },
    ],
    series: [{}, { stroke: line, width: 2, fill: fade(line), points: { show: false }, spanGaps: false }],
    hooks: { setCursor: [(plot) => setAt(plot.cursor.left < 0 ? null : (plot.cursor.idx ?? null))] },
  };
}

function padded(low, high) {
  const space = (high - low || Math.abs(high) || 1) * 0.08;
  return [low - space, high + space];
}

const labelAt = ({ points }, place, label) => (points[place] ? label(points[place].time) : "");

const plainNumber = (values) => {
  const step = values.length > 1 ? Math.abs(values[1] - values[0]) : 1;
  const places = step >= 1 ? 0 : Math.min(6, Math.ceil(-Math.log10(step)));
  return (value) => value.toLocaleString(document.documentElement.lang, { minimumFractionDigits: places, maximumFractionDigits: places });
};

const fade = (colour) => (plot) => {
  const gradient = plot.ctx.createLinearGradient(0, plot.bbox.top, 0, plot.bbox.top + plot.bbox.height);
  gradient.addColorStop(0, colour.replace("rgb(", "rgba(").replace(")", ", 0.22)"));
  gradient.addColorStop(1, colour.replace("rgb(", "rgba(").replace(")", ", 0)"));
  return gradient;
};
