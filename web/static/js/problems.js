// What went wrong, in words of the reader's language.
import { has, t } from "./i18n.js";

export function messageOf(error) {
  const code = error?.code ?? "unknown";
  if (code === "rate-limited" && error.retryAfter) {
    return t("problem.rate-limited-for", { seconds: error.retryAfter });
  }
  return t(has(`problem.${code}`) ? `problem.${code}` : "problem.unknown");
}

// The messages of single fields: { email: "…" }.
export function fieldMessages(error) {
  const found = {};
  for (const { field, message } of error?.errors ?? []) found[field.split(".").at(-1)] = message;
  if (error?.code === "weak-password" && Object.keys(found).length === 0) {
    found.password = error.detail;
  }
  return found;
}
