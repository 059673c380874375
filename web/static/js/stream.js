// GET /stream (Server-Sent Events) by fetch, because an EventSource cannot send the access token.
// Reconnects by itself from the last position; says whether it is live.
import { access, Problem } from "./api.js";
import config from "./config.js";
import { createStore } from "./store.js";

export const streamState = createStore("off"); // off, connecting, live, waiting

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 15_000;
const SILENCE_MS = 40_000; // the gateway sends a comment each 15 s

let running = null;
let reading = null;

// `handlers`: an object of event name → function of the event's data. `ended` is called when the
// session is over.
export function startStream(handlers, ended) {
  stopStream();
  running = new AbortController();
  follow(handlers, ended, running.signal);
}

export function stopStream() {
  running?.abort();
  running = null;
  streamState.set("off");
}

async function follow(handlers, ended, signal) {
  let position = "";
  let retry = FIRST_RETRY_MS;
  streamState.set("connecting");
  while (!signal.aborted) {
    let reason = "";
    try {
      await read(position, signal, (event) => {
        if (event.id) position = event.id;
        if (streamState.get() !== "live" && !signal.aborted) streamState.set("live");
        retry = FIRST_RETRY_MS;
        if (event.name === "end") reason = event.data.reason;
        else handlers[event.name]?.(event.data);
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && error.status === 401) reason = "token-expired";
    }
    if (signal.aborted) return;
    if (reason === "session-ended") return ended();
    if (reason === "token-expired" && !(await access.renew()) && !access.token()) return ended();
    if (reason === "token-expired") continue;
    streamState.set("waiting");
    await sleep(retry * (0.75 + Math.random() / 2), signal);
    retry = Math.min(retry * 2, MAX_RETRY_MS);
  }
}

async function read(position, signal, onEvent) {
  const silence = new AbortController();
  reading = silence;
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  const stop = () => silence.abort();
  signal.addEventListener("abort", stop);
  try {
    const headers = { Accept: "text/event-stream", Authorization: `Bearer ${access.token()}` };
    if (position) headers["Last-Event-ID"] = position;
    const url = `${config.api_url}/api/v1/stream`;
    const response = await fetch(url, { headers, signal: silence.signal, cache: "no-store" });
    if (!response.ok) throw new Problem("stream", { status: response.status });
    const parse = parser(onEvent);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      parse(value);
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

// The lines of https://html.spec.whatwg.org/multipage/server-sent-events.html that are used here.
export function parser(onEvent) {
  let rest = "";
  let event = { name: "", text: "", id: "" };
  return (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        onEvent({ name: event.name, id: event.id, data: event.text ? JSON.parse(event.text) : null });
        event = { name: "", text: "", id: "" };
      } else if (line.startsWith("event: ")) event.name = line.slice(7);
      else if (line.startsWith("data: ")) event.text += line.slice(6);
      else if (line.startsWith("id: ")) event.id = line.slice(4);
    }
  };
}

// Ends early when the network comes back or somebody looks at the page again.
function sleep(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      document.removeEventListener("visibilitychange", seen);
      resolve();
    };
    const seen = () => document.visibilityState === "visible" && done();
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    document.addEventListener("visibilitychange", seen);
    signal.addEventListener("abort", done, { once: true });
  });
}

// The connection would only be missed after a while of silence.
addEventListener("offline", () => reading?.abort());
