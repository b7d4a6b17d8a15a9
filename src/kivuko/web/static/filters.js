// Filters: the fields of a result as buttons, which leave the documents alone that have the same value.
import { byId, make } from "./dom.js";
import { say } from "./interface.js";

const LONGEST = 60; // characters of a value that can be chosen
const MOST = 12; // buttons below a result

let where = {}; // the value that documents must have, by field
let ask = () => {};

export function startFiltering(search) {
  ask = search;
}

export function filters() {
  return where;
}

// Filters from an address, in which anything may stand.
export function readFilters(text) {
  let wanted = null;
  try {
    wanted = JSON.parse(text);
  } catch {
    // No filter, then.
  }
  const isObject = wanted !== null && typeof wanted === "object" && !Array.isArray(wanted);
  setFilters(Object.fromEntries(Object.entries(isObject ? wanted : {}).filter(([, value]) => isValue(value))));
}

export function setFilters(wanted) {
  where = wanted;
  const buttons = Object.entries(where).map(([field, value]) => {
    const button = make("button", { type: "button", class: "chip" }, written(field, value), make("span", { "aria-hidden": "true" }, "×"));
    say(button, "filter_off", { field, value: String(value) }, "label");
    button.addEventListener("click", () => change(field));
    return button;
  });
  byId("filters").replaceChildren(say(make("span"), "filters"), ...buttons);
  byId("filters").hidden = buttons.length === 0;
}

// What a document can be filtered by, of what its collection knows; a large store does not know its fields.
export function fieldButtons(found, known) {
  const fields = Object.entries({ language: found.language, ...found.fields });
  const chosen = fields.filter(([field, value]) => isValue(value) && (known === null || Object.hasOwn(known, field)));
  const buttons = chosen.slice(0, MOST).map(([field, value]) => {
    const isOn = Object.hasOwn(where, field);
    const button = make("button", { type: "button", class: "chip", "aria-pressed": String(isOn) }, written(field, value));
    say(button, isOn ? "filter_off" : "filter_on", { field, value: String(value) }, "label");
    button.addEventListener("click", () => change(field, isOn ? undefined : value));
    return button;
  });
  return make("p", { class: "fields" }, ...buttons);
}

function written(field, value) {
  return make("span", { dir: "auto" }, `${field}: ${value}`);
}

function isValue(value) {
  if (typeof value === "string") return value.length <= LONGEST && value.trim() !== "";
  // A larger whole number is not what the service sent any more.
  if (typeof value === "number") return Number.isSafeInteger(value) || (Number.isFinite(value) && !Number.isInteger(value));
  return typeof value === "boolean";
}

function change(field, value) {
  const { [field]: _, ...rest } = where;
  setFilters(value === undefined ? rest : { ...rest, [field]: value });
  (byId("filters").querySelector("button") ?? byId("query")).focus(); // the button that was used goes away
  ask();
}
