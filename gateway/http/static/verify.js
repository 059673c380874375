"use strict";

// Mail scanners open links and run scripts: nothing is confirmed before a trusted click.
const token = new URLSearchParams(location.search).get("token") || "";
history.replaceState(null, "", "/verify");

const form = document.getElementById("form");
const proof = document.getElementById("proof");
const password = document.getElementById("password");
const button = document.getElementById("confirm");
const result = document.getElementById("result");

const messages = {
  "invalid-token": "This link is not valid, or a newer one was mailed to you.",
  "expired-token": "This link has expired. Ask for a new one.",
  "wrong-password": "That is not the password of this sign-up. If you signed up more than once, each mail belongs to one sign-up and its password.",
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
    body: JSON.stringify(proof.hidden ? { token } : { token, password: password.value }),
  });
  if (response.status === 200) {
    form.hidden = true;
    password.value = "";
    document.getElementById("text").hidden = true;
    show("Your address is confirmed. You can sign in now.", "good");
    return;
  }
  if (response.status === 202) {
    show("Your confirmation was received and will take effect shortly.", "good");
    return;
  }
  const problem = await response.json();
  if (problem.code === "proof-required") {
    proof.hidden = false;
    password.required = true;
    button.disabled = false;
    show("One more step: enter the password of your sign-up.", "");
    password.focus();
    return;
  }
  show(messages[problem.code] || "That did not work. Please try again.", "bad");
  button.disabled = problem.code in messages && problem.code !== "wrong-password";
}

// A script can send a form, and the event looks as if a person had: only the button's click tells.
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
