// The frame of every view: who is signed in decides which views there are.
import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";
import { language, t } from "./i18n.js";
import { startLive, stopLive } from "./live.js";
import { navigate, route } from "./router.js";
import { session } from "./session.js";
import { useStore } from "./store.js";
import { Toasts } from "./toasts.js";
import { Failure, Skeleton } from "./ui/controls.js";
import { Footer } from "./ui/footer.js";
import { Header } from "./ui/header.js";

// access: "any", "anonymous" (signed-in users go on to the watchlist), "user", "verified", "admin".
const VIEWS = {
  "": { load: () => import("./pages/home.js"), access: "anonymous" },
  signin: { load: () => import("./pages/signin.js"), access: "anonymous" },
  signup: { load: () => import("./pages/signup.js"), access: "anonymous" },
  verify: { load: () => import("./pages/verify.js"), access: "any" },
  forgot: { load: () => import("./pages/forgot.js"), access: "any" },
  reset: { load: () => import("./pages/reset.js"), access: "any" },
  undo: { load: () => import("./pages/reset.js"), access: "any" },
  watchlist: { load: () => import("./pages/watchlist.js"), access: "verified" },
  quotes: { load: () => import("./pages/quote.js"), access: "verified" },
  search: { load: () => import("./pages/search.js"), access: "verified" },
  account: { load: () => import("./pages/account.js"), access: "user" },
  admin: { load: () => import("./pages/admin.js"), access: "admin" },
};
const UNCONFIRMED = { load: () => import("./pages/unconfirmed.js") };
const NOT_FOUND = { load: () => import("./pages/not-found.js") };

const numbers = new Map(); // of views, so that each has a key

function keyOf(view, path) {
  if (!numbers.has(view)) numbers.set(view, numbers.size);
  return `${numbers.get(view)} ${path}`;
}

function viewFor(at, { status, profile }) {
  const view = VIEWS[at.view];
  if (!view) return NOT_FOUND;
  if (view.access === "any") return view;
  if (status === "unknown") return null;
  if (status === "anonymous") return view.access === "anonymous" ? view : VIEWS.signin;
  if (view.access === "anonymous") return "watchlist";
  if (view.access === "user") return view;
  if (!profile.email_confirmed_at) return UNCONFIRMED;
  if (view.access === "admin" && !profile.permissions.includes("admin")) return NOT_FOUND;
  return view;
}

export function App() {
  useStore(language);
  const at = useStore(route);
  const who = useStore(session);
  const view = viewFor(at, who);
  const isVerified = Boolean(who.profile?.email_confirmed_at);
  useEffect(() => {
    if (view === "watchlist") navigate("/watchlist", { replace: true });
  }, [view]);
  useEffect(() => {
    if (!isVerified) return undefined;
    startLive();
    return stopLive;
  }, [isVerified, who.profile?.id]);
  return html`
    <a class="skip" href="#main">${t("skip")}</a>
    <${Header} />
    <main id="main" tabindex="-1">
      ${view && view !== "watchlist"
        ? html`<${View} key=${keyOf(view, at.path)} view=${view} at=${at} />`
        : html`<${Skeleton} />`}
    </main>
    <${Footer} />
    <${Toasts} />
  `;
}

// Loads the module of a view. Its default export is the view; `title` is what the tab is called.
function View({ view, at }) {
  const [loaded, setLoaded] = useState(null);
  const [failed, setFailed] = useState(false);
  const [attempt, retry] = useState(0);
  useEffect(() => {
    setFailed(false);
    view.load().then(
      (module) => setLoaded({ Page: module.default }),
      () => setFailed(true),
    );
  }, [view, attempt]);
  if (failed) {
    return html`<${Failure} problem=${{ code: "offline" }} retry=${() => retry(attempt + 1)} />`;
  }
  if (!loaded) return html`<${Skeleton} />`;
  return html`<${loaded.Page} argument=${at.argument} query=${at.query} view=${at.view} />`;
}
