// The align view: two sentences, and the transport plan between their words.
import { ask, showProblem } from "./api.js";
import { directionOf } from "./bidi.js";
import { announce, byId, make } from "./dom.js";
import { showHeatMap } from "./heatmap.js";
import { message, say } from "./interface.js";
import { showLinks } from "./links.js";

const EXAMPLES = {
  en: ["The doctor sold us medicine.", "The doctor sold us medicine."],
  sw: ["Daktari alituuzia dawa.", "The doctor sold us medicine."],
};

let languages = [];
let running = null;
let shown = null; // the alignment that is drawn, with the direction of its sentence

export function startAligning(itsLanguages) {
  languages = itsLanguages;
  byId("align-language").addEventListener("change", showLanguage);
  byId("align-form").addEventListener("submit", (event) => {
    event.preventDefault();
    align();
  });
  for (const id of ["english", "translation"]) {
    byId(id).addEventListener("input", showDirections);
    byId(id).addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      byId("align-form").requestSubmit();
    });
  }
  byId("align-example").addEventListener("click", () => {
    [byId("translation").value, byId("english").value] = EXAMPLES[byId("align-language").value];
    showDirections();
    byId("align-form").requestSubmit();
  });
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => {
    if (shown && contentRect.width && Math.round(contentRect.width) !== width) {
      width = Math.round(contentRect.width);
      showLinks(byId("links"), shown);
    }
  }).observe(byId("links"));
  showLanguage();
}

function chosenLanguage() {
  return languages.find(({ code }) => code === byId("align-language").value);
}

function showDirections() {
  byId("translation").dir = directionOf(byId("translation").value, chosenLanguage()?.direction ?? "ltr");
  byId("english").dir = directionOf(byId("english").value, "ltr");
}

function showLanguage() {
  const language = chosenLanguage();
  if (!language) return;
  showDirections();
  byId("translation").lang = language.code;
  byId("align-example").hidden = !Object.hasOwn(EXAMPLES, language.code);
}

async function align() {
  const language = chosenLanguage();
  if (!language || !byId("english").value.trim() || !byId("translation").value.trim()) return;
  running?.abort();
  const { signal } = (running = new AbortController());
  byId("align-problem").hidden = true;
  byId("align").setAttribute("aria-busy", "true");
  announce(message("aligning"));
  const asked = { english: byId("english").value, translation: byId("translation").value, language: language.code };
  try {
    show(await ask("align", asked, signal), language);
  } catch (error) {
    if (signal.aborted) return;
    byId("alignment").hidden = true;
    announce("");
    showProblem(byId("align-problem"), error, align);
  }
  byId("align").removeAttribute("aria-busy");
}

function show(answer, { code, direction }) {
  const largest = Math.max(...answer.plan.flat(), 1e-9);
  const side = (words, lang, usual) => ({ words, lang, direction: directionOf(words.join(" "), usual) });
  shown = {
    sides: [side(answer.translation_words, code, direction), side(answer.english_words, "en", "ltr")],
    mass: answer.plan, // a row for each word of the sentence
    largest,
    links: new Set(answer.links.map(([english, translation]) => `${translation} ${english}`)),
  };
  byId("alignment").hidden = false;
  showLinks(byId("links"), shown);
  showHeatMap(byId("heat"), byId("readout"), shown);
  const items = answer.links.map(([english, translation]) =>
    make(
      "li",
      {},
      make("bdi", { lang: code }, answer.translation_words[translation]),
      " – ",
      make("bdi", { lang: "en" }, answer.english_words[english]),
    ),
  );
  byId("link-list").replaceChildren(...items);
  announce(answer.links.length ? message("aligned", { count: answer.links.length }) : message("aligned_none"));
  if (!items.length) byId("link-list").append(say(make("li"), "aligned_none"));
}
