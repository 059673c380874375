// The watchlist. A change is shown at once and undone when the gateway refuses it.
import { Problem, get, write } from "./api.js";
import { t } from "./i18n.js";
import { messageOf } from "./problems.js";
import { putQuote } from "./quotes.js";
import { createStore } from "./store.js";
import { say } from "./toasts.js";

// status: loading, ready, failed. An item is `pending` while its change is not known to be done.
export const watchlist = createStore({ status: "loading", items: [], limit: 0, problem: null });

const underway = new Map();

export async function loadWatchlist() {
  try {
    const found = await get("/watchlist");
    for (const item of found.items) if (item.quote) putQuote(item.quote);
    watchlist.set((before) => ({
      status: "ready",
      limit: found.limit,
      problem: null,
      items: merged(found.items.map(withoutQuote), before.items),
    }));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    watchlist.set((before) => ({
      ...before,
      status: before.status === "ready" ? "ready" : "failed",
      problem: error,
    }));
  }
}

const withoutQuote = ({ quote: _, ...item }) => item;

// What is under way here is newer than what was read.
function merged(read, here) {
  const busy = here.filter((item) => underway.has(item.symbol));
  const others = read.filter((item) => !underway.has(item.symbol));
  return [...others, ...busy].sort((a, b) => place(read, here, a) - place(read, here, b));
}

function place(read, here, item) {
  const at = read.findIndex((each) => each.symbol === item.symbol);
  return at >= 0 ? at : read.length + here.indexOf(item);
}

export function forgetWatchlist() {
  watchlist.set({ status: "loading", items: [], limit: 0, problem: null });
}

export const isWatched = (state, symbol) => state.items.some((item) => item.symbol === symbol);

const path = (symbol) => `/watchlist/${encodeURIComponent(symbol)}`;

export function addSymbol(symbol, note = null) {
  const item = { symbol, note, added_at: new Date().toISOString() };
  const add = (items) => [...items.filter((each) => each.symbol !== symbol), item];
  const undo = (items) => items.filter((each) => each.symbol !== symbol);
  return change(symbol, add, undo, ["PUT", path(symbol), { body: note ? { note } : {} }]);
}

export function removeSymbol(symbol) {
  const { items } = watchlist.get();
  const at = items.findIndex((item) => item.symbol === symbol);
  if (at < 0) return Promise.resolve(false);
  const removed = items[at];
  const undo = (now) => [...now.slice(0, at), removed, ...now.slice(at)];
  const remove = (now) => now.filter((item) => item.symbol !== symbol);
  return change(symbol, remove, undo, ["DELETE", path(symbol), {}]);
}

export function saveNote(symbol, note) {
  const before = watchlist.get().items.find((item) => item.symbol === symbol)?.note ?? null;
  const set = (value) => (items) =>
    items.map((item) => (item.symbol === symbol ? { ...item, note: value } : item));
  const body = { note: note || null };
  return change(symbol, set(body.note), set(before), ["PUT", path(symbol), { body }]);
}

// Changes of one symbol are sent one after another, in the order in which they were made.
function change(symbol, apply, undo, [method, where, options]) {
  const mark = (pending) => (items) =>
    items.map((item) => (item.symbol === symbol ? { ...item, pending } : item));
  update((items) => mark("sending")(apply(items)));
  const onPending = () => update(mark("accepted"));
  const earlier = underway.get(symbol) ?? Promise.resolve();
  const done = earlier
    .then(() => write(method, where, { ...options, onPending }))
    .then(() => true)
    .catch((error) => {
      update(undo);
      say(t("watchlist.refused", { symbol, why: messageOf(error) }), "bad");
      return false;
    })
    .finally(() => {
      if (underway.get(symbol) !== done) return;
      underway.delete(symbol);
      update(mark(undefined));
    });
  underway.set(symbol, done);
  return done;
}

function update(edit) {
  watchlist.set((state) => ({ ...state, items: edit(state.items) }));
}

// Another tab or device has changed the list: an `own` event of the stream says so.
export function onOwnEvent({ type, data }) {
  if (!type.startsWith("qnt9.watchlist.")) return;
  if (data.symbol && underway.has(data.symbol)) return;
  loadWatchlist();
}
