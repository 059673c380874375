// Light, dark, or as the system has it.
import { createStore } from "./store.js";

export const THEMES = ["system", "light", "dark"];
const KEPT = "qnt9-theme";

export const theme = createStore("system");

export function startTheme() {
  const kept = localStorage.getItem(KEPT);
  show(THEMES.includes(kept) ? kept : "system");
}

export function chooseTheme(name) {
  localStorage.setItem(KEPT, name);
  show(name);
}

function show(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  theme.set(name);
}
