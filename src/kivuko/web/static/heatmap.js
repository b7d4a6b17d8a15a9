// The transport plan as a table of shaded cells: the words stay words, for reading aloud and for any width.
import { focusOnly, make } from "./dom.js";
import { number, say } from "./interface.js";

export function showHeatMap(place, readout, plan) {
  const [rows, columns] = plan.sides;
  const head = make(
    "tr",
    {},
    make("td"),
    ...columns.words.map((word) => make("th", { scope: "col", lang: columns.lang, dir: columns.direction }, make("span", {}, word))),
  );
  const body = rows.words.map((word, row) =>
    make(
      "tr",
      {},
      make("th", { scope: "row", lang: rows.lang, dir: rows.direction }, word),
      ...columns.words.map((_, column) => makeCell(plan, row, column)),
    ),
  );
  const table = make("table", { role: "grid", class: "heat", "aria-describedby": "heat-hint" });
  say(table, "heat_label", {}, "label");
  table.append(make("thead", {}, head), make("tbody", {}, ...body));
  listen(table, readout, columns.words.length);
  readout.replaceChildren("\u00a0");
  place.replaceChildren(table);
}

function makeCell(plan, row, column) {
  const mass = plan.mass[row][column];
  const linked = plan.links.has(`${row} ${column}`);
  const cell = make("td", { role: "gridcell", class: linked ? "linked" : null });
  const [word, english] = [plan.sides[0].words[row], plan.sides[1].words[column]];
  const values = { word, english, mass: number(100 * mass, 1) };
  say(cell, linked ? "heat_link" : "heat_cell", values, "label");
  cell.style.setProperty("--strength", (mass / plan.largest).toFixed(3));
  return cell;
}

function listen(table, readout, width) {
  const cells = Array.from(table.querySelectorAll("td[role]"));
  const show = (cell) => {
    for (const lit of table.querySelectorAll(".lit")) lit.classList.remove("lit");
    readout.textContent = cell?.getAttribute("aria-label") ?? "\u00a0";
    if (!cell) return;
    const place = cells.indexOf(cell);
    cell.parentElement.querySelector("th").classList.add("lit");
    table.tHead.rows[0].cells[(place % width) + 1].classList.add("lit");
  };
  const focused = () => (table.contains(document.activeElement) ? document.activeElement : null);
  table.addEventListener("pointerover", (event) => show(event.target.closest("td[role]") ?? focused()));
  table.addEventListener("pointerleave", () => show(focused()));
  table.addEventListener("focusin", (event) => show(event.target));
  table.addEventListener("focusout", () => show(null));
  table.addEventListener("click", (event) => {
    const cell = event.target.closest("td[role]");
    if (cell) focusOnly(cells, cell);
  });
  table.addEventListener("keydown", (event) => {
    const here = cells.indexOf(event.target);
    const row = Math.floor(here / width);
    const goal = {
      ArrowRight: here % width < width - 1 ? here + 1 : here,
      ArrowLeft: here % width ? here - 1 : here,
      ArrowDown: here + width,
      ArrowUp: here - width,
      Home: row * width,
      End: row * width + width - 1,
    }[event.key];
    if (here < 0 || goal === undefined) return;
    event.preventDefault();
    if (cells[goal]) focusOnly(cells, cells[goal]);
  });
  focusOnly(cells, cells[0], { move: false });
}
