// uPlot, loaded when the first chart is shown. Scripts may only come from this origin: the page's
// policy takes the address of a script from this one place alone.
const policy = globalThis.trustedTypes?.createPolicy("qnt9", {
  createScriptURL(text) {
    if (new URL(text, location.href).origin !== location.origin) throw new TypeError(text);
    return text;
  },
}) ?? { createScriptURL: (text) => text };

const SCRIPT = "../../vendor/uplot/dist/uPlot.iife.min.js";
const STYLE = "../../vendor/uplot/dist/uPlot.min.css";

let loading = null;

export function loadUPlot() {
  loading ??= Promise.all([load("script"), load("link")]).then(
    () => globalThis.uPlot,
    (error) => {
      loading = null;
      throw error;
    },
  );
  return loading;
}

function load(kind) {
  return new Promise((resolve, reject) => {
    const element = document.createElement(kind);
    if (kind === "script") element.src = policy.createScriptURL(import.meta.resolve(SCRIPT));
    else Object.assign(element, { rel: "stylesheet", href: import.meta.resolve(STYLE) });
    element.onload = resolve;
    element.onerror = () => reject(new Error(kind));
    document.head.append(element);
  });
}
