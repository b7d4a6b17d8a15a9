// Long passages: the part around what matched best, and a button that shows all of it. Places are code points.
import { make } from "./dom.js";
import { say } from "./interface.js";

const LONG = 900; // characters; a shorter passage is shown as it is
const SHOWN = 700; // of a longer one
const BEFORE = 120; // of these, before the first match
const SEEK = 40; // how far to look for a space to cut at

export function isLong(text) {
  return text.length > LONG && Array.from(text).length > LONG;
}

// The part of a passage with the most of what matched, each word of the question counted once; else its beginning.
export function excerptOf(text, words, pairs) {
  const characters = Array.from(text);
  const best = new Map(); // by query word, strongest first
  for (const { query, found, strength } of pairs) {
    if (words[found].field === "text" && !best.has(query)) best.set(query, { ...words[found], weight: strength ** 2 });
  }
  const matches = Array.from(best.values());
  const last = characters.length - SHOWN;
  let chosen = { start: 0, weight: 0 };
  for (const start of [0, ...matches.map((match) => Math.min(last, Math.max(0, match.start - BEFORE)))]) {
    // What stands at the edge may be cut off with it.
    const isIn = (match) => match.start >= start + (start && SEEK) && match.end <= start + SHOWN - SEEK;
    const weight = matches.filter(isIn).reduce((sum, match) => sum + match.weight, 0);
    if (weight > chosen.weight + 1e-6) chosen = { start, weight };
  }
  const end = chosen.start === last ? characters.length : cutBefore(characters, chosen.start + SHOWN);
  return { start: cutAfter(characters, chosen.start), end };
}

function cutAfter(characters, start) {
  if (start === 0) return 0;
  for (let place = start; place < start + SEEK; place++) if (/\s/u.test(characters[place - 1])) return place;
  return whole(characters, start);
}

function cutBefore(characters, end) {
  for (let place = end; place > end - SEEK; place--) if (/\s/u.test(characters[place])) return place;
  return whole(characters, end);
}

// A mark is not cut off from its letter.
function whole(characters, place) {
  while (place > 0 && /[\p{M}\u200d]/u.test(characters[place] ?? "")) place--;
  return place;
}

export function excerptButton(text, toggle) {
  const button = make("button", { type: "button", class: "quiet more", "aria-controls": text.id });
  const show = (isWhole) => {
    button.setAttribute("aria-expanded", String(isWhole));
    say(button, isWhole ? "show_less" : "show_all");
  };
  button.addEventListener("click", () => {
    const isWhole = button.getAttribute("aria-expanded") !== "true";
    show(isWhole);
    toggle(isWhole);
    if (!isWhole) button.scrollIntoView({ block: "nearest" }); // what was read went away above it
  });
  show(false);
  return button;
}
