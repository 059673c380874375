// The start: language, theme and the address of the API, then the page.
import { render } from "preact";
import { App } from "./app.js";
import { loadConfig } from "./config.js";
import { html } from "./html.js";
import { startLanguage } from "./i18n.js";
import { restore } from "./session.js";
import { startTheme } from "./theme.js";

startTheme();
await Promise.all([loadConfig(), startLanguage()]);
render(html`<${App} />`, document.getElementById("app"));
await restore();
