// Paths of this page. A view is a path's first segment; what follows is its argument.
import { html } from "./html.js";
import { createStore } from "./store.js";

function read() {
  const [view = "", ...rest] = location.pathname.split("/").filter(Boolean);
  const argument = rest.map(decodePart).join("/");
  return { view, argument, query: new URLSearchParams(location.search), path: location.pathname };
}

function decodePart(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const route = createStore(read());

addEventListener("popstate", () => route.set(read()));

export function navigate(path, { replace = false } = {}) {
  if (replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  route.set(read());
  scrollTo(0, 0);
}

export const quotePath = (symbol) => `/quotes/${encodeURIComponent(symbol)}`;

const isPlainClick = (event) =>
  event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;

export function Link({ href, children, onClick, ...rest }) {
  const follow = (event) => {
    onClick?.(event);
    if (event.defaultPrevented || !isPlainClick(event)) return;
    event.preventDefault();
    navigate(href);
  };
  return html`<a href=${href} onClick=${follow} ...${rest}>${children}</a>`;
}
