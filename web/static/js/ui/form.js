// A form that is sent once at a time and shows what the gateway says of it.
import { useState } from "preact/hooks";
import { fieldMessages, messageOf } from "../problems.js";

const IDLE = { busy: false, message: "", fields: {}, code: "" };

// `send` gets the form's values. Returns what the form and its button need.
export function useForm(send) {
  const [state, setState] = useState(IDLE);
  const submit = async (form) => {
    setState({ ...IDLE, busy: true });
    try {
      await send(Object.fromEntries(new FormData(form)));
      setState(IDLE);
    } catch (error) {
      if (!error.code) throw error;
      const fields = fieldMessages(error);
      setState({ ...IDLE, message: messageOf(error), fields, code: error.code });
      requestAnimationFrame(() => form.querySelector("[aria-invalid]")?.focus());
    }
  };
  const onSubmit = (event) => {
    event.preventDefault();
    submit(event.currentTarget);
  };
  return { ...state, onSubmit, mailed: ofMailedLink(submit) };
}

// Mail scanners open links and run scripts: only a person's click, or Enter, may send something.
// A script can send a form, and that event looks as if a person had: the button's click tells.
function ofMailedLink(submit) {
  return {
    onSubmit: (event) => event.preventDefault(),
    onClick: (event) => {
      event.preventDefault();
      const { form } = event.currentTarget;
      if (event.isTrusted && form.reportValidity()) submit(form);
    },
  };
}
