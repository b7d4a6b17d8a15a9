// The language of the interface. Text that comes from a message carries its key, so that it can be said anew.
import { isolated } from "./bidi.js";
import { MESSAGES } from "./messages.js";

const SAID_IN = { message: null, label: "aria-label", placeholder: "placeholder", title: "title" };

let language = "en";

export function chooseInterface(code) {
  language = Object.hasOwn(MESSAGES, code) ? code : "en";
  document.documentElement.lang = language;
  sayAnew(document);
  return language;
}

export function message(key, values = {}) {
  return MESSAGES[language][key].replace(/\{(\w+)\}/g, (_, name) =>
    typeof values[name] === "number" ? number(values[name]) : isolated(values[name]),
  );
}

export function hasMessage(key) {
  return Object.hasOwn(MESSAGES[language], key);
}

export function number(value, digits) {
  const exact = digits === undefined ? {} : { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(language, exact).format(value);
}

// Let an element say a message, as its text or as one of its attributes, now and after the language was changed.
export function say(element, key, values = {}, where = "message") {
  element.dataset[where] = key;
  element.dataset[`${where}Values`] = JSON.stringify(values);
  speak(element, where);
  return element;
}

function sayAnew(root) {
  for (const where of Object.keys(SAID_IN)) {
    for (const element of root.querySelectorAll(`[data-${where}]`)) speak(element, where);
  }
}

function speak(element, where) {
  const text = message(element.dataset[where], JSON.parse(element.dataset[`${where}Values`] ?? "{}"));
  if (where === "message") element.textContent = text;
  else element.setAttribute(SAID_IN[where], text);
}
