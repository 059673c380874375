// The heading of a view.
import { useEffect, useRef } from "preact/hooks";
import { html } from "../html.js";

let isFirst = true;

// It takes the focus after a change of views, so that it is read out.
export function Title({ children, text, ...rest }) {
  const heading = useRef();
  useEffect(() => {
    if (!isFirst) heading.current.focus({ preventScroll: true });
    isFirst = false;
  }, []);
  useEffect(() => {
    document.title = `${text ?? children} – QNT9`;
  }, [text, children]);
  return html`<h1 tabindex="-1" ref=${heading} ...${rest}>${children}</h1>`;
}
