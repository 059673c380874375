// Who is signed in. The access token is in memory only. The refresh token is in a cookie that no
// script can read, and that the gateway takes on three routes (docs/browser-sessions.md).
import { Problem, access, call, get } from "./api.js";
import { createStore } from "./store.js";

export const session = createStore({ status: "unknown", profile: null });

const PATH = "/auth/session";
const BY_COOKIE = { credentials: "include", headers: { "X-CSRF-Protection": "1" } };
const KEPT = "qnt9-signed-in"; // that there is a cookie, so that guests ask for nothing

let token = null;
let renewing = null;
const tabs = "BroadcastChannel" in globalThis ? new BroadcastChannel("qnt9-session") : null;

access.token = () => token;
access.renew = renew;

tabs?.addEventListener("message", ({ data }) => {
  if (data === "signed-out") forget();
});

// After the page is loaded: the cookie of an earlier visit, or of another tab.
export async function restore() {
  if (!localStorage.getItem(KEPT) || !(await renew())) {
    if (session.get().status === "unknown") session.set({ status: "anonymous", profile: null });
    return;
  }
  try {
    await loadProfile();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    session.set({ status: "anonymous", profile: null });
  }
}

export async function signIn(email, password) {
  const options = { ...BY_COOKIE, auth: false, body: { email, password } };
  token = (await call("POST", PATH, options)).body.access_token;
  localStorage.setItem(KEPT, "yes");
  await loadProfile();
}

export async function loadProfile() {
  const profile = await get("/users/me");
  session.set({ status: "signed-in", profile });
  return profile;
}

export async function signOut() {
  try {
    await call("DELETE", PATH, { ...BY_COOKIE, key: crypto.randomUUID() });
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "unauthenticated") throw error;
  }
  tabs?.postMessage("signed-out");
  forget();
}

// Nobody is signed in here any more.
export function forget() {
  token = null;
  localStorage.removeItem(KEPT);
  session.set({ status: "anonymous", profile: null });
}

// One refresh at a time, over all tabs. Returns whether there is a new access token.
export function renew() {
  renewing ??= inTurn(refresh).finally(() => {
    renewing = null;
  });
  return renewing;
}

const inTurn = (work) => navigator.locks?.request("qnt9-refresh", work) ?? work();

async function refresh() {
  try {
    token = (await call("POST", `${PATH}/refresh`, { ...BY_COOKIE, auth: false })).body.access_token;
    return true;
  } catch (error) {
    if (error instanceof Problem && error.status === 401) forget();
    return false;
  }
}
