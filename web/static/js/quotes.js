// The latest quote of each symbol that a view shows. However many prices arrive, views are
// rendered at most once a frame, and only those of the symbols that changed.
import { useEffect, useReducer } from "preact/hooks";
import { get } from "./api.js";

const quotes = new Map();
const watchers = new Map();
const changed = new Set();
let scheduled = false;

export const quoteOf = (symbol) => quotes.get(symbol) ?? null;

export function putQuote(quote) {
  const before = quotes.get(quote.symbol);
  if (before && Date.parse(quote.as_of) < Date.parse(before.as_of)) return;
  const move = before ? Math.sign(Number(quote.price) - Number(before.price)) : 0;
  quotes.set(quote.symbol, { ...quote, move, moves: (before?.moves ?? 0) + (move ? 1 : 0) });
  schedule(quote.symbol);
}

export function putSnapshot({ quotes: found }) {
  for (const quote of Object.values(found)) if (quote) putQuote(quote);
}

// A price of the stream has no name and no previous close: these are kept.
export function putPrice({ symbol, price, currency, as_of, source }) {
  const before = quotes.get(symbol);
  if (!before || before.currency !== currency) {
    refresh(symbol);
    return;
  }
  const close = Number(before.previous_close);
  const change_percent = close ? String((Number(price) / close - 1) * 100) : before.change_percent;
  const fetched_at = new Date().toISOString();
  const fresh = { stale: false, stale_reason: null };
  putQuote({ ...before, price, as_of, source, change_percent, fetched_at, ...fresh });
}

export async function refresh(symbol, signal) {
  const quote = await get(`/quotes/${encodeURIComponent(symbol)}`, { signal });
  putQuote(quote);
  return quote;
}

export function forgetQuotes() {
  for (const symbol of quotes.keys()) schedule(symbol);
  quotes.clear();
}

function schedule(symbol) {
  changed.add(symbol);
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    const symbols = [...changed];
    changed.clear();
    for (const each of symbols) for (const render of watchers.get(each) ?? []) render();
  });
}

export function useQuote(symbol) {
  const [, render] = useReducer((count) => count + 1, 0);
  useEffect(() => {
    const of = watchers.get(symbol) ?? new Set();
    watchers.set(symbol, of.add(render));
    return () => of.delete(render);
  }, [symbol]);
  return quoteOf(symbol);
}
