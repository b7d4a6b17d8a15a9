// The search view: a question, its results, and the words that explain them.
import { ask, showProblem } from "./api.js";
import { directionOf, wordDirection } from "./bidi.js";
import { announce, byId, focusOnly, make } from "./dom.js";
import { excerptButton, excerptOf, isLong } from "./excerpt.js";
import { fieldButtons, filters, readFilters, setFilters, startFiltering } from "./filters.js";
import { message, number, say } from "./interface.js";
import { light, markedText, pairLine, pairsOf, pairTable, spokenPairs } from "./why.js";

const EXAMPLES = {
  en: ["Which river is the longest in Africa?", "What is the capital of Kenya?"],
  sw: ["Mto mrefu zaidi Afrika ni upi?", "Mji mkuu wa Kenya ni upi?"],
};

let languages = [];
let collections = [];
let running = null; // aborts what belongs to the last question
let results = []; // {found, card, explanation, pairs, isWhole}
let method = "maxsim";
let pointed = null; // the word of the question under the pointer or the focus
let pinned = null; // the one that was clicked

export function startSearching(itsLanguages, itsCollections) {
  [languages, collections] = [itsLanguages, itsCollections];
  byId("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!byId("query").value.trim()) return;
    const asked = { q: byId("query").value, language: byId("language").value, in: byId("collection").value };
    if (byId("ranker").value !== "maxsim") asked.by = byId("ranker").value;
    if (Object.keys(filters()).length) asked.where = JSON.stringify(filters());
    const address = `#${new URLSearchParams(asked)}`;
    if (address !== location.hash) history.pushState(null, "", address);
    search();
  });
  byId("query").addEventListener("input", showDirection);
  byId("language").addEventListener("change", showLanguage);
  for (const id of ["language", "collection"]) byId(id).addEventListener("change", showRankers);
  byId("collection").addEventListener("change", () => setFilters({})); // another one has other fields
  startFiltering(() => byId("search-form").requestSubmit());
  byId("ranker").addEventListener("change", () => results.length && byId("search-form").requestSubmit());
  for (const radio of document.getElementsByName("method")) radio.addEventListener("change", changeMethod);
  listenToWords();
  addEventListener("popstate", searchAgain);
  showLanguage();
  searchAgain();
}

function language() {
  return languages.find(({ code }) => code === byId("language").value);
}

function collection() {
  return collections.find(({ name }) => name === byId("collection").value);
}

function showLanguage() {
  const chosen = language();
  if (!chosen) return;
  showDirection();
  byId("query").lang = chosen.code;
  const examples = collections.length ? (EXAMPLES[chosen.code] ?? []) : [];
  byId("examples").replaceChildren(
    say(make("span"), "examples"),
    ...examples.map((example) => {
      const button = make("button", { type: "button", class: "quiet", lang: chosen.code }, example);
      button.addEventListener("click", () => {
        byId("query").value = example;
        showDirection();
        byId("search-form").requestSubmit();
      });
      return button;
    }),
  );
  byId("examples").hidden = examples.length === 0 || byId("results").childElementCount > 0;
}

function showDirection() {
  byId("query").dir = directionOf(byId("query").value, language()?.direction ?? "ltr");
}

// What this collection can be ranked by for questions in this language; nothing to choose where that is one way.
function showRankers() {
  const rankers = collection()?.rankers[byId("language").value] ?? [];
  const shown = rankers.filter((name) => name !== "weighted");
  const chosen = byId("ranker").value;
  byId("ranker").replaceChildren(...shown.map((name) => say(make("option", { value: name }), `ranker_${name}`)));
  if (shown.includes(chosen)) byId("ranker").value = chosen;
  byId("ranking").hidden = shown.length < 2;
}

// What the address says was asked: when the page is opened, and when the reader goes back.
function searchAgain() {
  const asked = new URLSearchParams(location.hash.slice(1));
  if (asked.has("view")) return; // from one view to the other: what was found stays
  byId("query").value = asked.get("q") ?? "";
  for (const [id, name] of [["language", "language"], ["collection", "in"], ["ranker", "by"]]) {
    if (id === "ranker") showRankers();
    const options = Array.from(byId(id).options, ({ value }) => value);
    if (options.includes(asked.get(name))) byId(id).value = asked.get(name);
    else if (id === "ranker" && options.length) byId(id).value = "maxsim";
  }
  readFilters(asked.get("where") ?? "{}");
  if (asked.get("q")?.trim() && language() && collections.length) search();
  else clear();
  showLanguage();
}

function clear() {
  running?.abort();
  results = [];
  pointed = pinned = null;
  document.title = "Kivuko";
  for (const id of ["search-problem", "why", "summary"]) byId(id).hidden = true;
  byId("results").replaceChildren();
  byId("results").removeAttribute("aria-busy");
  byId("words").replaceChildren();
}

async function search() {
  clear();
  byId("examples").hidden = true;
  const { signal } = (running = new AbortController());
  const asked = { query: byId("query").value, language: byId("language").value, collection: byId("collection").value };
  const ranker = byId("ranker").value || "maxsim";
  document.title = `${asked.query} – Kivuko`;
  announce(message("searching"));
  byId("results").setAttribute("aria-busy", "true");
  byId("results").replaceChildren(...[0, 1, 2].map(() => make("li", { class: "result waiting", "aria-hidden": "true" })));
  try {
    const answer = await ask("search", { ...asked, ranker, where: filters() }, signal);
    showResults(answer, asked, signal);
  } catch (error) {
    if (signal.aborted) return;
    byId("results").replaceChildren();
    announce("");
    showProblem(byId("search-problem"), error, search);
  }
  byId("results").removeAttribute("aria-busy");
}

function showResults(answer, asked, signal) {
  const count = answer.results.length;
  const values = { count, milliseconds: Math.round(answer.milliseconds) };
  const key = count === 0 ? "nothing" : count === 1 ? "found_one" : "found";
  say(byId("summary"), key, values).hidden = false;
  announce(message(key, values));
  results = answer.results.map(makeResult);
  byId("results").replaceChildren(...results.map(({ card }) => card));
  if (count === 0) {
    byId("results").append(say(make("li", { class: "empty" }), Object.keys(filters()).length ? "nothing_filtered" : "nothing_hint"));
    return;
  }
  showQuestion(asked.query, []);
  explainWhatIsSeen(asked, signal);
}

function makeResult(found, place) {
  const usual = languages.find(({ code }) => code === found.language)?.direction ?? "ltr";
  const written = (text) => ({ lang: found.language ?? "", dir: directionOf(text, usual) });
  const title = found.title.trim()
    ? make("h3", { class: "title", ...written(found.title) }, found.title)
    : say(make("h3", { class: "title missing" }), "untitled");
  const score = say(make("span", { class: "score" }), "score", { score: number(found.score, found.score < 1 ? 4 : 2) });
  say(score, "score_hint", {}, "title");
  const text = make("p", { class: "text", id: `text-${place}`, ...written(found.text) });
  const card = make(
    "li",
    { class: "result", "data-id": found.doc_id },
    make("div", { class: "head" }, title, score),
    text,
    fieldButtons(found, collection().fields),
    make("p", { class: "line" }, say(make("span"), "matching")),
  );
  const result = { found, card, explanation: null, pairs: [], isWhole: !isLong(found.text) };
  if (!result.isWhole) {
    const toggle = (isWhole) => {
      result.isWhole = isWhole;
      showText(result);
    };
    text.after(excerptButton(text, toggle));
  }
  showText(result);
  return result;
}

function showText({ found, card, explanation, pairs, isWhole }) {
  const known = explanation ?? { document_words: [] };
  const part = isWhole ? null : excerptOf(found.text, known.document_words, pairs);
  card.querySelector(".text").replaceChildren(markedText(found.text, "text", known, pairs, part));
  if (explanation) light(card, pairs, pointed ?? pinned);
}

// Explain results one after the other, as they come into view: each costs the service about as much as a search.
function explainWhatIsSeen(asked, signal) {
  let turn = Promise.resolve();
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      const result = results.find(({ card }) => card === target);
      turn = turn.then(() => signal.aborted || explain(result, asked, signal));
    }
  });
  for (const { card } of results) watcher.observe(card);
  signal.addEventListener("abort", () => watcher.disconnect());
}

async function explain(result, asked, signal) {
  try {
    result.explanation = await ask("explain", { ...asked, doc_id: result.found.doc_id }, signal);
  } catch (error) {
    if (signal.aborted) return;
    const line = result.card.querySelector(".line");
    showProblem(line, error);
    line.prepend(say(make("b"), "no_why"), " ");
    return;
  }
  if (signal.aborted) return;
  const words = result.explanation.query_words;
  if (!byId("words").querySelector("button")) showQuestion(asked.query, words);
  showPairs(result);
}

function showPairs(result) {
  const { found, card, explanation } = result;
  result.pairs = pairsOf(explanation, method);
  if (found.title.trim()) {
    card.querySelector(".title").replaceChildren(markedText(found.title, "title", explanation, result.pairs));
  }
  showText(result);
  const wasOpen = card.querySelector("details")?.open ?? false;
  card.querySelector("details")?.remove();
  if (result.pairs.length) {
    const table = pairTable(explanation, result.pairs, method);
    card.append(make("details", wasOpen ? { open: "" } : {}, say(make("summary"), "table"), table));
  }
  card.classList.add("explained");
  showChosen(result);
}

function showChosen(result) {
  if (!result.explanation) return;
  const chosen = pointed ?? pinned;
  light(result.card, result.pairs, chosen);
  result.card.querySelector(".line").replaceChildren(pairLine(result.explanation, result.pairs, method, chosen));
}

// The question, with a button for each word that can be explained.
function showQuestion(query, words) {
  const strip = byId("words");
  const characters = Array.from(query);
  strip.replaceChildren();
  strip.lang = byId("language").value;
  strip.dir = directionOf(query, language().direction);
  let end = 0;
  words.forEach(({ start, end: last }, place) => {
    strip.append(characters.slice(end, start).join(""));
    const attributes = { type: "button", "data-query": place, "aria-pressed": "false", tabindex: place ? "-1" : "0" };
    const word = characters.slice(start, last).join("");
    strip.append(make("span", { class: wordDirection(word) }, make("button", attributes, word)));
    end = last;
  });
  strip.append(characters.slice(end).join(""));
  byId("why").hidden = false;
}

function changeMethod(event) {
  method = event.target.value;
  say(byId("method-hint"), `hint_${method}`);
  for (const result of results) if (result.explanation) showPairs(result);
}

function listenToWords() {
  const strip = byId("words");
  const wordOf = (event) => event.target.closest?.("button")?.dataset.query;
  const point = (place) => {
    pointed = place;
    showWords();
  };
  strip.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "touch" && wordOf(event) !== undefined) point(Number(wordOf(event)));
  });
  strip.addEventListener("pointerout", (event) => {
    if (event.pointerType !== "touch" && wordOf(event) !== undefined) point(focusedWord());
  });
  strip.addEventListener("focusin", (event) => {
    focusOnly(strip.querySelectorAll("button"), event.target, { move: false });
    const place = focusedWord();
    if (place === null) return; // by a click, which pins
    point(place);
    const first = results.find(({ explanation }) => explanation);
    if (first) announce(spokenPairs(first.explanation, first.pairs, method, place));
  });
  strip.addEventListener("focusout", () => point(null));
  strip.addEventListener("click", (event) => {
    if (wordOf(event) === undefined) return;
    const place = Number(wordOf(event));
    pinned = pinned === place ? null : place;
    showWords();
  });
  strip.addEventListener("keydown", moveByKey);
}

// Keys alone keep a word lit by focus; after a click it is the pin that does, so that a second click turns it off.
function focusedWord() {
  const focused = document.activeElement;
  return focused?.matches("#words button:focus-visible") ? Number(focused.dataset.query) : null;
}

function moveByKey(event) {
  const buttons = Array.from(byId("words").querySelectorAll("button"));
  const here = buttons.indexOf(document.activeElement);
  if (here < 0) return;
  const forward = byId("words").dir === "rtl" ? -1 : 1;
  const last = buttons.length - 1;
  const goal = {
    ArrowRight: here + forward, ArrowLeft: here - forward, ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: last,
  }[event.key];
  if (event.key === "Escape") {
    pinned = pointed = null;
    showWords();
  } else if (goal !== undefined) {
    event.preventDefault();
    focusOnly(buttons, buttons[Math.min(last, Math.max(0, goal))]);
  }
}

function showWords() {
  const chosen = pointed ?? pinned;
  for (const button of byId("words").querySelectorAll("button")) {
    const place = Number(button.dataset.query);
    button.setAttribute("aria-pressed", String(place === pinned));
    button.classList.toggle("chosen", place === chosen);
  }
  for (const result of results) showChosen(result);
}
