// Requests to the gateway: problems as errors, a second try after a refresh, pending commands.
import config from "./config.js";

export class Problem extends Error {
  constructor(code, { status = 0, detail = "", errors = [], retryAfter = null } = {}) {
    super(detail || code);
    Object.assign(this, { code, status, detail, errors, retryAfter });
  }

  get isAway() {
    return this.code === "offline" || this.status >= 500;
  }
}

// The session sets these: how to authorise, and what to do when the gateway no longer agrees.
export const access = { token: () => null, renew: async () => false };

const SAFE_REPEATS = 2;
const MAX_WAIT_MS = 3000;
const pause = (ms, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });

// Returns { status, body, headers }. Throws `Problem`, or an AbortError when `signal` aborts.
export async function call(method, path, options = {}) {
  const { body, signal, auth = true, headers = {}, credentials = "omit", key } = options;
  const isSafe = method === "GET" || key !== undefined;
  let renewed = false;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await once(method, path, { body, signal, auth, headers, credentials, key });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.code === "unauthenticated" && auth && !renewed) {
        renewed = true;
        if (await access.renew()) continue;
      }
      const passing = error.status === 503 && error.retryAfter !== null;
      if (!passing || !isSafe || attempt >= SAFE_REPEATS) throw error;
      if (error.retryAfter * 1000 > MAX_WAIT_MS) throw error;
      await pause(error.retryAfter * 1000, signal);
    }
  }
}

async function once(method, path, { body, signal, auth, headers, credentials, key }) {
  const sent = { Accept: "application/json", ...headers };
  if (body !== undefined) sent["Content-Type"] = "application/json";
  if (key !== undefined) sent["Idempotency-Key"] = key;
  if (auth && access.token()) sent.Authorization = `Bearer ${access.token()}`;
  let response;
  try {
    response = await fetch(`${config.api_url}/api/v1${path}`, {
      method,
      signal,
      credentials,
      headers: sent,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("offline");
  }
  const text = response.status === 204 ? "" : await response.text();
  const content = text ? JSON.parse(text) : null;
  if (!response.ok) throw problemOf(response, content);
  return { status: response.status, body: content, headers: response.headers };
}

function problemOf(response, content) {
  const after = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return new Problem(content?.code ?? "unknown", {
    status: response.status,
    detail: content?.detail,
    errors: content?.errors,
    retryAfter: Number.isNaN(after) ? null : after,
  });
}

export const get = async (path, options) => (await call("GET", path, options)).body;

// A write. It is sent with a key, so it may be repeated. 202 means that it is accepted and will be
// done: `onPending` is called, and the outcome is polled until there is one.
export async function write(method, path, { body, onPending, signal, auth } = {}) {
  const answer = await call(method, path, { body, signal, auth, key: crypto.randomUUID() });
  const at = answer.headers.get("Location");
  if (answer.status !== 202 || !at) return answer;
  onPending?.();
  return outcomeOf(at.replace(/^.*\/api\/v1/, ""), signal);
}

const FIRST_LOOK_MS = 500;
const LAST_LOOK_MS = 5000;

async function outcomeOf(path, signal) {
  for (let wait = FIRST_LOOK_MS; ; wait = Math.min(wait * 1.5, LAST_LOOK_MS)) {
    await pause(wait, signal);
    let found;
    try {
      found = await get(path, { signal });
    } catch (error) {
      if (error instanceof Problem && error.isAway) continue;
      throw error;
    }
    if (found.status === "succeeded") return { status: 200, body: found.result ?? null };
    if (found.status === "failed") {
      throw new Problem(found.problem?.code ?? "unknown", { detail: found.problem?.detail });
    }
  }
}
