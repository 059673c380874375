"use strict";

// Mail scanners open links and run scripts: nothing is confirmed before a trusted click.
const token = new URLSearchParams(location.search).get("token") || "";
history.replaceState(null, "", "/verify");

const button = document.getElementById("confirm");
const result = document.getElementById("result");

const messages = {
  "invalid-token": "This link is not valid, or a newer one was mailed to you.",
  "expired-token": "This link has expired. Ask for a new one.",
  "invalid-fields": "This link is incomplete. Copy all of it from the mail.",
};

function show(text, kind) {
  result.textContent = text;
  result.className = kind;
}

async function post() {
  const response = await fetch("/api/v1/auth/verify", {
    method: "POST",
    headers: { "Content-Type": "application/json", "Prefer": "wait=15" },
    body: JSON.stringify({ token }),
  });
  if (response.status === 200) {
    button.hidden = true;
    document.getElementById("text").hidden = true;
    show("Your address is confirmed. You can sign in now.", "good");
    return;
  }
  if (response.status === 202) {
    show("Your confirmation was received and will take effect shortly.", "good");
    return;
  }
  const problem = await response.json();
  show(messages[problem.code] || "That did not work. Please try again.", "bad");
  button.disabled = problem.code in messages;
}

button.addEventListener("click", async (event) => {
  if (!event.isTrusted) return;
  button.disabled = true;
  show("One moment …", "");
  try {
    await post();
  } catch {
    show("The server cannot be reached. Please try again.", "bad");
    button.disabled = false;
  }
});
