// What runs while a verified user is signed in: the watchlist, and the stream that keeps it live.
import { putPrice, putSnapshot, forgetQuotes } from "./quotes.js";
import { forget, loadProfile } from "./session.js";
import { startStream, stopStream } from "./stream.js";
import { forgetWatchlist, loadWatchlist, onOwnEvent } from "./watchlist.js";

export function startLive() {
  loadWatchlist();
  const handlers = {
    snapshot: putSnapshot,
    quote: putPrice,
    own: (event) => {
      onOwnEvent(event);
      if (event.type.startsWith("qnt9.user.")) loadProfile().catch(() => {});
    },
    reset: loadWatchlist,
  };
  startStream(handlers, forget);
}

export function stopLive() {
  stopStream();
  forgetWatchlist();
  forgetQuotes();
}
