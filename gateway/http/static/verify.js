"use strict";

const proof = document.getElementById("proof");

const messages = {
  "invalid-token": "This link is not valid, or a newer one was mailed to you.",
  "expired-token": "This link has expired. Ask for a new one.",
  "wrong-password": "That is not the password of this sign-up. If you signed up more than once, each mail belongs to one sign-up and its password.",
  "invalid-fields": "This link is incomplete. Copy all of it from the mail.",
};

sendOnTrustedClick(async () => {
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
});
