// Data of a view: loaded when it appears, again on demand; skeleton and failure meanwhile.
import { useEffect, useState } from "preact/hooks";
import { Problem } from "../api.js";
import { html } from "../html.js";
import { Failure, Skeleton } from "./controls.js";

export function useLoaded(load, inputs = []) {
  const [state, setState] = useState({ data: null, problem: null });
  const [attempt, retry] = useState(0);
  useEffect(() => {
    const control = new AbortController();
    load(control.signal).then(
      (data) => setState({ data, problem: null }),
      (problem) => {
        if (problem instanceof Problem) setState((before) => ({ ...before, problem }));
      },
    );
    return () => control.abort();
  }, [attempt, ...inputs]);
  return { ...state, retry: () => retry(attempt + 1), setData: (data) => setState({ data, problem: null }) };
}

export function Loaded({ of, rows, children }) {
  if (of.problem) return html`<${Failure} problem=${of.problem} retry=${of.retry} />`;
  if (of.data !== null) return children(of.data);
  return html`<${Skeleton} rows=${rows} />`;
}
