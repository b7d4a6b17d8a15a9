// Why a result was found: its words that the words of the question matched. Places are Unicode code points.
import { wordDirection } from "./bidi.js";
import { make } from "./dom.js";
import { message, number, say } from "./interface.js";

const GLOSSED = 0.6; // of the strongest match: what is weaker is not written over the passage
const LONG = 24; // characters: a longer word may be broken at the end of a line
const GLOSSES = 3; // words that are written over one word, at most
const STRONGEST = 3; // pairs that are named while no word is chosen

// What one of the two methods says: matches, strongest first within a word, with a strength from 0 to 1.
export function pairsOf(explanation, method) {
  const pairs = explanation[method].map(({ query_word, document_word, score, mass }) => ({
    query: query_word,
    found: document_word,
    value: score ?? mass,
  }));
  pairs.sort((one, other) => one.query - other.query || other.value - one.value);
  const largest = Math.max(...pairs.map(({ value }) => value), 1e-9);
  for (const pair of pairs) pair.strength = Math.max(0, pair.value / largest);
  return pairs;
}

// The best document word of each word of the question.
function bestPairs(pairs) {
  return pairs.filter(({ query }, place) => place === 0 || pairs[place - 1].query !== query);
}

export function shownValue(value, method) {
  return method === "plan" ? `${number(100 * value, 0)} %` : number(value, 2);
}

// A title or a text, or a part of it, in which every word that is in a pair can light up; over the surest stands what
// it matched.
export function markedText(whole, field, explanation, pairs, part = null) {
  const characters = Array.from(whole);
  const { start, end: last } = part ?? { start: 0, end: characters.length };
  const paired = new Set(pairs.map(({ found }) => found));
  const glosses = new Map();
  for (const { query, found, strength } of bestPairs(pairs)) {
    if (strength >= GLOSSED) glosses.set(found, [...(glosses.get(found) ?? []), query]);
  }
  const parts = document.createDocumentFragment();
  if (start > 0) parts.append("… ");
  let end = start;
  explanation.document_words.forEach((word, place) => {
    if (word.field !== field || !paired.has(place) || word.start < start || word.end > last) return;
    parts.append(characters.slice(end, word.start).join(""));
    const text = characters.slice(word.start, word.end).join("");
    const marked = make("span", { class: "word", "data-word": place }, text);
    const gloss = glosses.get(place);
    if (gloss) {
      const ruby = make("ruby", { class: text.length > LONG ? null : "short" }, marked, makeGloss(explanation, gloss));
      parts.append(make("span", { class: wordDirection(text) }, ruby));
    } else {
      parts.append(marked);
    }
    end = word.end;
  });
  parts.append(characters.slice(end, last).join(""));
  if (last < characters.length) parts.append(" …");
  return parts;
}

function makeGloss(explanation, queries) {
  const words = queries.map((query) => explanation.query_words[query].text);
  const shown = words.length > GLOSSES ? [...words.slice(0, GLOSSES), "…"] : words;
  return make("rt", { "aria-hidden": "true", "data-queries": queries.join(" ") }, shown.join(" "));
}

// Light up what a word of the question matched; without one, everything as in the overview.
export function light(card, pairs, query) {
  const strengths = new Map();
  for (const pair of query === null ? bestPairs(pairs).filter(({ strength }) => strength >= GLOSSED) : pairs) {
    if (query === null || pair.query === query) strengths.set(pair.found, pair.strength);
  }
  card.classList.toggle("chosen", query !== null);
  for (const word of card.querySelectorAll(".word")) {
    const strength = strengths.get(Number(word.dataset.word));
    word.classList.toggle("hit", strength !== undefined);
    word.style.setProperty("--strength", String((strength ?? 0) ** 2)); // squared, so that the best stand out
  }
  for (const gloss of card.querySelectorAll("rt")) {
    gloss.classList.toggle("other", query !== null && !gloss.dataset.queries.split(" ").includes(String(query)));
  }
}

// The line below a passage: what the chosen word matched, or the strongest pairs of all.
export function pairLine(explanation, pairs, method, query) {
  const own = query === null ? [] : pairs.filter((pair) => pair.query === query);
  const line = document.createDocumentFragment();
  if (query !== null) {
    const word = explanation.query_words[query].text;
    line.append(say(make("b"), own.length ? "word_pairs" : "no_match", { word }), " ");
    for (const pair of own) line.append(pairLabel(explanation, pair, method, false));
  } else if (pairs.length) {
    line.append(say(make("b"), "best_pairs"), " ");
    const best = bestPairs(pairs).sort((one, other) => other.value - one.value);
    for (const pair of best.slice(0, STRONGEST)) line.append(pairLabel(explanation, pair, method, true));
  } else {
    line.append(say(make("span"), "no_pairs"));
  }
  return line;
}

function pairLabel(explanation, { query, found, value, strength }, method, named) {
  const label = make("span", { class: "pair" });
  if (named) label.append(make("bdi", {}, explanation.query_words[query].text), " → ");
  label.append(make("bdi", { class: "found" }, explanation.document_words[found].text), " ");
  label.append(bar(strength), make("span", { class: "value" }, shownValue(value, method)), " ");
  return label;
}

function bar(strength) {
  const drawn = make("span", { class: "bar", "aria-hidden": "true" });
  drawn.style.setProperty("--strength", String(strength));
  return drawn;
}

export function spokenPairs(explanation, pairs, method, query) {
  const word = explanation.query_words[query].text;
  const own = pairs.filter((pair) => pair.query === query);
  if (!own.length) return message("no_match", { word });
  const named = own.map((pair) => `${explanation.document_words[pair.found].text} ${shownValue(pair.value, method)}`);
  return `${message("word_pairs", { word })} ${named.join(", ")}`;
}

// All pairs, for those who do not point and for those who do not see.
export function pairTable(explanation, pairs, method) {
  const head = make(
    "tr",
    {},
    ...["table_query", "table_document", `table_${method}`].map((key) => say(make("th", { scope: "col" }), key)),
  );
  const rows = pairs.map(({ query, found, value, strength }, place) =>
    make(
      "tr",
      { class: place && pairs[place - 1].query === query ? null : "first" },
      make("th", { scope: "row", dir: "auto" }, explanation.query_words[query].text),
      make("td", { dir: "auto" }, explanation.document_words[found].text),
      make("td", { class: "value" }, bar(strength), shownValue(value, method)),
    ),
  );
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
}
