// Templates in place of JSX: html`<p>${text}</p>`. Text is always text, never markup.
import { h } from "preact";
import htm from "htm";

export const html = htm.bind(h);
