// Making elements, and moving among them by arrow keys.
const SVG = "http://www.w3.org/2000/svg";

export function byId(id) {
  return document.getElementById(id);
}

export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// One stop of the Tab key for many items: the one that was focused last.
export function focusOnly(items, item, { move = true } = {}) {
  for (const each of items) each.setAttribute("tabindex", each === item ? "0" : "-1");
  if (move) item.focus();
}

export function announce(text) {
  byId("status").textContent = text;
}

export function recall(name, storage = () => localStorage) {
  try {
    return storage().getItem(name);
  } catch {
    return null; // storage is blocked
  }
}

export function remember(name, value, storage = () => localStorage) {
  try {
    storage().setItem(name, value);
  } catch {
    // Storage is blocked: it is chosen anew next time.
  }
}
