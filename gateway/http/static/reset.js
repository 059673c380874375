"use strict";

// Mail scanners open links and run scripts: nothing is set before a person has sent the form.
const token = new URLSearchParams(location.search).get("token") || "";
history.replaceState(null, "", "/reset");

const form = document.getElementById("form");
const password = document.getElementById("password");
const button = document.getElementById("set");
const result = document.getElementById("result");

// One key for one password: sent again because an answer got lost, it is the same request.
const freshKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
let key = freshKey();
password.addEventListener("input", () => { key = freshKey(); });

const messages = {
  "invalid-token": "This link is not valid, was used before, or a newer one was mailed to you.",
  "expired-token": "This link has expired. Ask for a new one.",
};

function show(text, kind) {
  result.textContent = text;
  result.className = kind;
}

function textOf(problem) {
  for (const { field, message } of problem.errors || []) {
    if (field === "token") return "This link is incomplete. Copy all of it from the mail.";
    if (field === "new_password") return `The password ${message}.`;
  }
  if (problem.code === "weak-password") return problem.detail;
  return messages[problem.code] || "That did not work. Please try again.";
}

async function post() {
  const response = await fetch("/api/v1/auth/password/reset", {
    method: "POST",
    headers: { "Content-Type": "application/json", "Prefer": "wait=15", "Idempotency-Key": key },
    body: JSON.stringify({ token, new_password: password.value }),
  });
  if (response.ok) {
    form.hidden = true;
    password.value = "";
    show(response.status === 200
      ? "Your password is set, and you are signed out everywhere. Sign in with the new one."
      : "Your new password was received and will take effect shortly.", "good");
    return;
  }
  const problem = await response.json();
  show(textOf(problem), "bad");
  button.disabled = problem.code in messages;
}

document.getElementById("shown").addEventListener("change", (event) => {
  password.type = event.target.checked ? "text" : "password";
});

// A script can send a form, and the event looks as if a person had: only the button's click tells.
// Pressing Enter clicks it, too.
form.addEventListener("submit", (event) => event.preventDefault());

button.addEventListener("click", async (event) => {
  event.preventDefault();
  if (!event.isTrusted || !form.reportValidity()) return;
  button.disabled = true;
  show("One moment …", "");
  try {
    await post();
  } catch {
    show("The server cannot be reached. Please try again.", "bad");
    button.disabled = false;
  }
});
