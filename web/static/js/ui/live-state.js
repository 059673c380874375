// Whether prices are live, and what is shown while they are not.
import { useEffect, useState } from "preact/hooks";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { useStore } from "../store.js";
import { streamState } from "../stream.js";
import { Notice } from "./controls.js";

export function LiveState() {
  const state = useStore(streamState);
  return html`<p class="live ${state}" role="status"><span class="dot" aria-hidden="true"></span>${t(`live.${state}`)}</p>`;
}

// A moment without a stream is nothing to worry a reader with.
const PATIENCE_MS = 2500;

export function OfflineNotice() {
  const state = useStore(streamState);
  const isAway = state === "waiting" || (state === "connecting" && !navigator.onLine);
  const [isShown, show] = useState(false);
  useEffect(() => {
    if (state === "live" || state === "off") {
      show(false);
      return undefined;
    }
    const timer = setTimeout(() => show(true), navigator.onLine ? PATIENCE_MS : 0);
    return () => clearTimeout(timer);
  }, [state === "live" || state === "off", isAway]);
  if (!isShown) return null;
  return html`<${Notice} kind="warn" icon="offline" title=${t("offline.title")}>${t("offline.text")}<//>`;
}
