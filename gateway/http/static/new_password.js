"use strict";

// The pages that end with a new password. What differs stands in the form's data attributes: the
// endpoint, the texts of success, and the text of each problem after which the link is of no use.

// One key for one password: sent again because an answer got lost, it is the same request.
const freshKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
let key = freshKey();
password.addEventListener("input", () => { key = freshKey(); });

document.getElementById("shown").addEventListener("change", (event) => {
  password.type = event.target.checked ? "text" : "password";
});

function textOf(problem) {
  for (const { field, message } of problem.errors || []) {
    if (field === "token") return "This link is incomplete. Copy all of it from the mail.";
    if (field === "new_password") return `The password ${message}.`;
  }
  if (problem.code === "weak-password") return problem.detail;
  return form.getAttribute(`data-${problem.code}`) || "That did not work. Please try again.";
}

sendOnTrustedClick(async () => {
  const response = await fetch(form.dataset.endpoint, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Prefer": "wait=15", "Idempotency-Key": key },
    body: JSON.stringify({ token, new_password: password.value }),
  });
  if (response.ok) {
    form.hidden = true;
    password.value = "";
    show(response.status === 200 ? form.dataset.done : form.dataset.pending, "good");
    return;
  }
  const problem = await response.json();
  show(textOf(problem), "bad");
  button.disabled = form.hasAttribute(`data-${problem.code}`);
});
