// The foot of the page: language and appearance.
import { html } from "../html.js";
import { LANGUAGES, chooseLanguage, language, t } from "../i18n.js";
import { useStore } from "../store.js";
import { THEMES, chooseTheme, theme } from "../theme.js";
import config from "../config.js";

export function Footer() {
  const spoken = useStore(language);
  const shown = useStore(theme);
  return html`<footer class="bottom">
    <div class="bottom-inner">
      <p>${t("footer.prices")}</p>
      <div class="choices">
        <${Choice} label=${t("language")} value=${spoken} onChoose=${chooseLanguage}
          options=${Object.entries(LANGUAGES)} />
        <${Choice} label=${t("theme")} value=${shown} onChoose=${chooseTheme}
          options=${THEMES.map((each) => [each, t(`theme.${each}`)])} />
        <a href="${config.api_url}/docs">${t("footer.api")}</a>
      </div>
    </div>
  </footer>`;
}

function Choice({ label, value, options, onChoose }) {
  return html`<label class="choice">
    <span class="visually-hidden">${label}</span>
    <select onChange=${(event) => onChoose(event.target.value)}>
      ${options.map(
        ([key, text]) => html`<option key=${key} value=${key} selected=${key === value}
          lang=${key in LANGUAGES ? key : undefined}>${text}</option>`,
      )}
    </select>
  </label>`;
}
