// All that a search found.
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Link, quotePath } from "../router.js";
import { isWaiting, useSearch } from "../search.js";
import { Failure, Skeleton } from "../ui/controls.js";
import { Candidate, Note } from "../ui/search-box.js";
import { Title } from "../ui/title.js";

export default function Search({ query }) {
  const text = query.get("q") ?? "";
  const state = useSearch(text, { debounce: 0 });
  const candidates = state.found?.candidates ?? [];
  return html`<${Title}>${t("search.for", { text })}<//>
    ${isWaiting(state) && html`<${Skeleton} />`}
    ${state.problem?.isAway && html`<${Failure} problem=${state.problem} retry=${state.retry} />`}
    ${!isWaiting(state) && !state.problem?.isAway && html`<p class="muted"><${Note} state=${state} /></p>`}
    <ul class="list found">
      ${candidates.map(
        (each) => html`<li key=${each.symbol}>
          <${Link} class="result" href=${quotePath(each.symbol)}><${Candidate} candidate=${each} /><//>
        </li>`,
      )}
    </ul>`;
}
