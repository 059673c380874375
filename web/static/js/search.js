// GET /search for a text that changes while it is typed: the last one counts.
import { useEffect, useState } from "preact/hooks";
import { Problem, get } from "./api.js";
import { fieldMessages, messageOf } from "./problems.js";

const DEBOUNCE_MS = 180;
const NOTHING = { text: "", found: null, message: "", problem: null };

export const isWaiting = (state) => state.isWaiting;

export function useSearch(text, { debounce = DEBOUNCE_MS } = {}) {
  const wanted = text.trim();
  const [state, setState] = useState(NOTHING);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    if (!wanted) {
      setState(NOTHING);
      return undefined;
    }
    const control = new AbortController();
    setState((before) => ({ ...before, message: "", problem: null, isWaiting: true }));
    const timer = setTimeout(async () => {
      try {
        const query = new URLSearchParams({ q: wanted });
        const found = await get(`/search?${query}`, { signal: control.signal });
        setState({ ...NOTHING, text: wanted, found });
      } catch (error) {
        if (!(error instanceof Problem)) return;
        const message = fieldMessages(error).q ?? messageOf(error);
        setState({ ...NOTHING, text: wanted, message, problem: error });
      }
    }, debounce);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [wanted, attempt]);
  return { ...state, retry: () => setAttempt(attempt + 1) };
}
