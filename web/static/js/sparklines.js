// The sparklines of the whole watchlist: one request, again when the list changes or time passes.
import { useEffect } from "preact/hooks";
import { get } from "./api.js";
import { createStore, useStore } from "./store.js";

const RENEW_MS = 5 * 60_000;
const SOON_MS = 4000; // some were not known yet
const sparklines = createStore({});

export function useSparklines(symbols) {
  const key = symbols.join(",");
  useEffect(() => {
    const control = new AbortController();
    let timer;
    const load = async () => {
      let wait = RENEW_MS;
      try {
        const { items } = await get("/sparklines?range=1d", { signal: control.signal });
        const known = items.filter(({ sparkline }) => sparkline);
        sparklines.set(Object.fromEntries(known.map((each) => [each.symbol, each.sparkline])));
        if (known.length < items.length) wait = SOON_MS;
      } catch {
        // The list does without.
      }
      if (!control.signal.aborted) timer = setTimeout(load, wait);
    };
    if (key) load();
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [key]);
  return useStore(sparklines);
}
