// Who is signed in. The access token is in memory only, and no script can read the refresh token
// where the gateway keeps it in a cookie.
import { Problem, access, call, get, write } from "./api.js";
import { createStore } from "./store.js";

export const session = createStore({ status: "unknown", profile: null });

let tokens = null;
let renewing = null;
const tabs = "BroadcastChannel" in globalThis ? new BroadcastChannel("qnt9-session") : null;

access.token = () => tokens?.access_token ?? null;
access.renew = renew;

tabs?.addEventListener("message", ({ data }) => {
  if (data === "signed-out") forget();
});

export const accessToken = () => tokens?.access_token ?? null;

export async function restore() {
  forget();
}

export async function signIn(email, password) {
  const { body } = await call("POST", "/auth/signin", { auth: false, body: { email, password } });
  tokens = body;
  await loadProfile();
}

export async function loadProfile() {
  const profile = await get("/users/me");
  session.set({ status: "signed-in", profile });
  return profile;
}

export async function signOut() {
  try {
    await write("POST", "/auth/signout");
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "unauthenticated") throw error;
  }
  tabs?.postMessage("signed-out");
  forget();
}

// Nobody is signed in here any more.
export function forget() {
  tokens = null;
  session.set({ status: "anonymous", profile: null });
}

// One refresh at a time. Returns whether there is a new access token.
export function renew() {
  renewing ??= refresh().finally(() => {
    renewing = null;
  });
  return renewing;
}

async function refresh() {
  if (!tokens) return false;
  try {
    const body = { refresh_token: tokens.refresh_token };
    tokens = (await call("POST", "/auth/refresh", { auth: false, body })).body;
    return true;
  } catch (error) {
    if (error instanceof Problem && error.status === 401) forget();
    return false;
  }
}
