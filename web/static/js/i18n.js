// Texts in the language of the reader, and numbers, times and ages in the form of the locale.
import { createStore } from "./store.js";

export const LANGUAGES = { en: "English", de: "Deutsch" };
const KEPT = "qnt9-language";

export const language = createStore("en");
let messages = {};
let locale = "en";

function preferred() {
  const kept = localStorage.getItem(KEPT);
  if (kept in LANGUAGES) return kept;
  for (const each of navigator.languages) {
    const code = each.slice(0, 2).toLowerCase();
    if (code in LANGUAGES) return code;
  }
  return "en";
}

export async function startLanguage() {
  await use(preferred());
}

export async function chooseLanguage(code) {
  localStorage.setItem(KEPT, code);
  await use(code);
}

async function use(code) {
  messages = (await import(`./messages/${code}.js`)).default;
  locale = navigator.languages.find((each) => each.toLowerCase().startsWith(code)) ?? code;
  document.documentElement.lang = code;
  formats.clear();
  language.set(code);
}

// `{name}` in a text is replaced. A key that is missing is shown, so that a test finds it.
export function t(key, values = {}) {
  const text = messages[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

export const has = (key) => key in messages;

// "one|other", chosen by a number.
export function plural(key, count, values = {}) {
  const [one, other] = t(key, { ...values, count: number(count) }).split("|");
  return new Intl.PluralRules(locale).select(count) === "one" ? one : (other ?? one);
}

const formats = new Map();

function format(kind, options) {
  const key = `${kind.name}${JSON.stringify(options)}`;
  if (!formats.has(key)) formats.set(key, new kind(locale, options));
  return formats.get(key);
}

export const number = (value) => format(Intl.NumberFormat, {}).format(value);

// Of a price, a decimal string: all of its places are shown, at least two.
export const placesOf = (text) =>
  Math.min(Math.max((String(text).split(".")[1] ?? "").length, 2), 8);

export function price(text, currency) {
  const options = { minimumFractionDigits: 2, maximumFractionDigits: placesOf(text) };
  try {
    return format(Intl.NumberFormat, { ...options, style: "currency", currency }).format(text);
  } catch {
    return `${format(Intl.NumberFormat, options).format(text)} ${currency}`;
  }
}

export const signed = (value, places = 2) =>
  format(Intl.NumberFormat, {
    minimumFractionDigits: places,
    maximumFractionDigits: places,
    signDisplay: "exceptZero",
  }).format(value);

export const percent = (value) =>
  format(Intl.NumberFormat, {
    style: "percent",
    minimumFractionDigits: 2,
    maximumFractionDigits: 2,
    signDisplay: "exceptZero",
  }).format(value / 100);

const DAY_MS = 86_400_000;

export function dateTime(value) {
  const date = new Date(value);
  return format(Intl.DateTimeFormat, { dateStyle: "medium", timeStyle: "short" }).format(date);
}

export const day = (value) =>
  format(Intl.DateTimeFormat, { dateStyle: "medium" }).format(new Date(value));

// What stands under the time axis of a chart of this range.
export function axisTime(range) {
  const options = {
    "1d": { timeStyle: "short" },
    "5d": { weekday: "short", day: "numeric" },
    "5y": { month: "short", year: "numeric" },
    max: { year: "numeric" },
  }[range] ?? { day: "numeric", month: "short" };
  return (value) => format(Intl.DateTimeFormat, options).format(new Date(value));
}

const UNITS = [["day", DAY_MS], ["hour", 3_600_000], ["minute", 60_000], ["second", 1000]];

export function age(value, now = Date.now()) {
  const passed = Math.max(0, now - new Date(value).getTime());
  const [unit, size] = UNITS.find(([, ms]) => passed >= ms) ?? UNITS.at(-1);
  const relative = format(Intl.RelativeTimeFormat, { numeric: "auto" });
  return relative.format(-Math.floor(passed / size), unit);
}
