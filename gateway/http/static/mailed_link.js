"use strict";

// What the pages behind mailed links share. Mail scanners open links and run scripts: nothing is
// sent before a person has pressed the button.
const token = new URLSearchParams(location.search).get("token") || "";
history.replaceState(null, "", location.pathname);

const form = document.getElementById("form");
const password = document.getElementById("password");
const button = form.querySelector("button");
const result = document.getElementById("result");

function show(text, kind) {
  result.textContent = text;
  result.className = kind;
}

// A script can send a form, and the event looks as if a person had: only the button's click tells.
// Pressing Enter clicks it, too.
function sendOnTrustedClick(post) {
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
}
