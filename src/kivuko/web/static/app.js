// Where the page starts: what the service has, the view, the colors, the language of the interface.
import { startAligning } from "./align.js";
import { ask, showProblem, wantsKey } from "./api.js";
import { byId, make, recall, remember } from "./dom.js";
import { chooseInterface, say } from "./interface.js";
import { startSearching } from "./search.js";

chooseColors();
chooseLanguage();
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the part of the address behind the hash belongs to the views
  byId("main").focus();
});
byId("api").addEventListener("click", showSchema);
showView();
addEventListener("hashchange", showView);
await start();

async function start() {
  byId("start-problem").hidden = true;
  let there;
  try {
    there = await ask("collections");
  } catch (error) {
    showProblem(byId("start-problem"), error, start);
    return;
  }
  const languages = there.languages;
  for (const id of ["language", "align-language"]) {
    byId(id).replaceChildren(
      ...languages.map(({ code, name, direction }) => make("option", { value: code, lang: code, dir: direction }, name)),
    );
    byId(id).disabled = languages.length === 0;
  }
  byId("collection").replaceChildren(
    ...there.collections.map(({ name, documents }) =>
      say(make("option", { value: name }), "collection_size", { name, count: documents }),
    ),
  );
  byId("collection").disabled = there.collections.length === 0;
  if (!languages.length || !there.collections.length) {
    byId("start-problem").replaceChildren(say(make("p"), "no_collections"));
    byId("start-problem").hidden = false;
  }
  startAligning(languages);
  startSearching(languages, there.collections);
}

async function showSchema(event) {
  if (!wantsKey()) return;
  event.preventDefault();
  try {
    const schema = JSON.stringify(await ask("openapi.json"), null, 2);
    location.assign(URL.createObjectURL(new Blob([schema], { type: "application/json" })));
  } catch (error) {
    showProblem(byId("start-problem"), error);
  }
}

function showView() {
  const aligning = new URLSearchParams(location.hash.slice(1)).get("view") === "align";
  for (const [name, shown] of [["search", !aligning], ["align", aligning]]) {
    byId(name).hidden = !shown;
    if (shown) byId(`to-${name}`).setAttribute("aria-current", "page");
    else byId(`to-${name}`).removeAttribute("aria-current");
  }
}

function chooseColors() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const show = () => byId("theme").setAttribute("aria-pressed", String(isDark()));
  byId("theme").addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    remember("kivuko.theme", theme);
    show();
  });
  system.addEventListener("change", show);
  show();
}

function chooseLanguage() {
  const field = byId("interface");
  field.value = chooseInterface(recall("kivuko.interface") ?? navigator.language.split("-")[0]);
  field.addEventListener("change", () => {
    chooseInterface(field.value);
    remember("kivuko.interface", field.value);
  });
}
