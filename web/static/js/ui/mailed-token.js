// The token of a mailed link, which leaves the address bar at once.
import { useState } from "preact/hooks";

export function useMailedToken(query) {
  const [token] = useState(() => {
    const found = query.get("token") ?? "";
    if (found) history.replaceState(null, "", location.pathname);
    return found;
  });
  return token;
}
