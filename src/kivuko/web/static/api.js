// Asking the service, and what it answers when it cannot.
import { byId, make, recall, remember } from "./dom.js";
import { hasMessage, say } from "./interface.js";

const SESSION = () => sessionStorage;

let key = recall("kivuko.key", SESSION);
let prompting = null;

export class ServiceError extends Error {
  constructor(code, text = "", { seconds = 1, request = "" } = {}) {
    super(text);
    this.code = code;
    this.values = { seconds, request };
  }
}

// Whether the service is known to want a key, which a link does not show.
export function wantsKey() {
  return key !== null || prompting !== null;
}

// Ask for JSON; a service that wants a key is given one as soon as the reader has it.
export async function ask(path, body = null, signal = undefined) {
  for (;;) {
    const used = key;
    const answer = await send(path, body, signal);
    if (answer.status !== 401) return read(answer);
    if (used === key) await (prompting ??= askForKey(used !== null));
  }
}

async function send(path, body, signal) {
  const headers = { Accept: "application/json" };
  if (key !== null) headers["X-API-Key"] = key;
  if (body !== null) headers["Content-Type"] = "application/json";
  try {
    return await fetch(`api/${path}`, {
      method: body === null ? "GET" : "POST",
      headers,
      body: body === null ? undefined : JSON.stringify(body),
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError("offline", error.message);
  }
}

async function read(answer) {
  let content;
  try {
    content = await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError("offline", answer.statusText);
  }
  if (answer.ok) return content;
  throw new ServiceError(content.error?.code ?? "other", content.error?.message ?? answer.statusText, {
    seconds: Number(answer.headers.get("Retry-After") ?? 1),
    request: answer.headers.get("X-Request-Id") ?? "",
  });
}

function askForKey(wasWrong) {
  const form = byId("key");
  const field = byId("key-value");
  say(byId("key-hint"), wasWrong ? "key_wrong" : "key_hint");
  field.setAttribute("aria-invalid", String(wasWrong));
  form.hidden = false;
  const before = document.activeElement;
  field.focus();
  return new Promise((given) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      const value = field.value.trim();
      if (!/^[\x21-\x7e]+$/.test(value)) {
        say(byId("key-hint"), "key_wrong");
        field.setAttribute("aria-invalid", "true");
        return;
      }
      key = value;
      remember("kivuko.key", key, SESSION);
      field.value = "";
      form.hidden = true;
      focusAgain(before);
      prompting = null;
      given();
    };
  });
}

// Where the reader was; or where the content begins, if that is not there any longer.
function focusAgain(element) {
  element?.focus();
  if (document.activeElement !== element || element === document.body) byId("main").focus();
}

// Show what went wrong, and how to go on.
export function showProblem(place, error, again = null) {
  const known = hasMessage(`error_${error.code}`);
  place.replaceChildren(say(make("p"), known ? `error_${error.code}` : "error_other", error.values));
  if (!known) place.append(make("p", { lang: "en", dir: "ltr", class: "quote" }, error.message));
  if (again) {
    const button = say(make("button", { type: "button", class: "quiet" }), "try_again");
    button.addEventListener("click", () => {
      focusAgain(null); // the button goes away
      again();
    });
    place.append(button);
  }
  place.hidden = false;
}
