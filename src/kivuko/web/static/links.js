// The transport plan as lines between two sentences: side by side in rows where they fit, else in two columns.
import { draw, focusOnly, make } from "./dom.js";
import { message, number, say } from "./interface.js";

const LEAST = 0.08; // of the largest mass: thinner lines only hide the others
const [GAP, ROWS_APART, COLUMNS_APART, LINE, PADDING, FONT] = [16, 150, 280, 34, 10, 17];

// Draw into a place; `plan` is what align.js keeps of an answer.
export function showLinks(place, plan) {
  const width = Math.max(260, place.clientWidth);
  const sizes = plan.sides.map(({ words }) => measure(words, getComputedStyle(place).fontFamily));
  const inRows = sizes.every((side) => sum(side) + GAP * (side.length - 1) <= width);
  const layout = inRows ? rows(plan, sizes, width) : columns(sizes, width);
  const picture = draw("svg", {
    viewBox: `0 0 ${layout.width} ${layout.height}`,
    width: layout.width,
    height: layout.height,
    class: "links",
    role: "group",
    "data-layout": inRows ? "rows" : "columns",
  });
  say(picture, "links_label", {}, "label");
  const lines = makeLines(plan, layout, inRows);
  const words = plan.sides.map((side, which) =>
    side.words.map((word, position) => makeWord(plan, layout.places[which][position], side, which, position, word)),
  );
  picture.append(draw("g", { "aria-hidden": "true" }, ...lines), ...words.flat());
  const frame = make("div", {}, picture); // listens: an SVG element that hears of the focus is a tab stop in Chromium
  listen(frame, picture, words, lines, plan, inRows);
  place.replaceChildren(frame);
}

function measure(words, family) {
  const brush = document.createElement("canvas").getContext("2d");
  brush.font = `${FONT}px ${family}`;
  return words.map((word) => brush.measureText(word).width + 2 * PADDING);
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

// Centered rows, each read in the direction of its language.
function rows(plan, sizes, width) {
  const places = sizes.map((side, which) => {
    const slack = width - sum(side) - GAP * (side.length - 1);
    let start = slack / 2;
    return side.map((size) => {
      const x = start + size / 2;
      start += size + GAP;
      return { x: plan.sides[which].direction === "rtl" ? width - x : x, y: which ? ROWS_APART + 26 : 26, size };
    });
  });
  return { places, width, height: ROWS_APART + 52 };
}

function columns(sizes, width) {
  const wide = sizes.map((side) => Math.max(...side));
  const needed = sum(wide) + Math.min(COLUMNS_APART, Math.max(70, width - sum(wide)));
  const places = sizes.map((side, which) =>
    side.map((size, position) => ({ x: which ? needed - wide[1] / 2 : wide[0] / 2, y: 20 + LINE * position, size })),
  );
  return { places, width: needed, height: 6 + LINE * Math.max(...sizes.map((side) => side.length)) };
}

function makeLines(plan, { places }, inRows) {
  const lines = [];
  plan.mass.forEach((row, translation) =>
    row.forEach((mass, english) => {
      const strength = mass / plan.largest;
      const linked = plan.links.has(`${translation} ${english}`);
      if (strength < LEAST && !linked) return;
      const [from, to] = [places[0][translation], places[1][english]];
      const [x1, y1, x2, y2] = inRows
        ? [from.x, from.y + 16, to.x, to.y - 16]
        : [from.x + from.size / 2 + 2, from.y, to.x - to.size / 2 - 2, to.y];
      const bend = inRows
        ? `${x1} ${(y1 + y2) / 2} ${x2} ${(y1 + y2) / 2}`
        : `${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2}`;
      lines.push(
        draw("path", {
          d: `M${x1} ${y1}C${bend} ${x2} ${y2}`,
          "stroke-width": (1 + 6 * strength).toFixed(2),
          class: linked ? "line linked" : "line",
          "data-ends": `0:${translation} 1:${english}`,
        }),
      );
    }),
  );
  return lines.sort((one, other) => one.classList.contains("linked") - other.classList.contains("linked"));
}

function makeWord(plan, { x, y, size }, { lang, direction }, which, position, word) {
  const text = draw("text", { x, y, dy: "0.35em", lang, direction, "text-anchor": "middle", "font-size": FONT });
  text.append(word);
  const box = draw("rect", { x: x - size / 2, y: y - 15, width: size, height: 30, rx: 6 });
  const node = draw("g", {
    class: "node",
    role: "img",
    "data-end": `${which}:${position}`,
    "aria-label": spoken(plan, which, position, word),
  });
  node.append(box, text);
  return node;
}

function spoken(plan, which, position, word) {
  const partners = partnersOf(plan, which, position);
  if (!partners.length) return message("alone", { word });
  const named = partners.map(({ other, mass }) => `${plan.sides[1 - which].words[other]} ${number(100 * mass, 1)} %`);
  return `${message("word_pairs", { word })} ${named.join(", ")}`;
}

// Words of the other side that a word is linked to, the one with the most mass first.
function partnersOf(plan, which, position) {
  return plan.sides[1 - which].words
    .map((_, other) => {
      const [translation, english] = which ? [other, position] : [position, other];
      return { other, mass: plan.mass[translation][english], linked: plan.links.has(`${translation} ${english}`) };
    })
    .filter(({ linked }) => linked)
    .sort((one, other) => other.mass - one.mass);
}

function listen(frame, picture, words, lines, plan, inRows) {
  const nodes = words.flat();
  const choose = (node) => {
    const end = node?.dataset.end;
    picture.classList.toggle("chosen", Boolean(node));
    const lit = new Set(end ? [end] : []);
    for (const line of lines) {
      const ends = line.dataset.ends.split(" ");
      const on = ends.includes(end);
      line.classList.toggle("lit", on);
      if (on) ends.forEach((each) => lit.add(each));
    }
    for (const each of nodes) each.classList.toggle("lit", lit.has(each.dataset.end));
  };
  const focused = () => (picture.contains(document.activeElement) ? document.activeElement.closest(".node") : null);
  frame.addEventListener("pointerover", (event) => choose(event.target.closest(".node") ?? focused()));
  frame.addEventListener("pointerleave", () => choose(focused()));
  frame.addEventListener("focusin", (event) => choose(event.target.closest(".node")));
  frame.addEventListener("focusout", () => choose(null));
  frame.addEventListener("keydown", (event) => {
    const node = focused();
    if (!node) return;
    const [which, position] = node.dataset.end.split(":").map(Number);
    const goal = goalOf(event.key, which, position, plan, inRows);
    if (!goal) return;
    event.preventDefault();
    const [side, index] = goal;
    focusOnly(nodes, words[side][Math.min(words[side].length - 1, Math.max(0, index))]);
  });
  focusOnly(nodes, nodes[0], { move: false });
}

// Along a sentence, or across to the word that it is linked to.
function goalOf(key, which, position, plan, inRows) {
  const [back, on, before, behind] = inRows
    ? ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]
    : ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"];
  const forward = inRows && plan.sides[which].direction === "rtl" ? -1 : 1;
  if (key === on) return [which, position + forward];
  if (key === back) return [which, position - forward];
  if (key === "Home") return [which, 0];
  if (key === "End") return [which, plan.sides[which].words.length - 1];
  if (key === (which ? before : behind)) return [1 - which, partnersOf(plan, which, position)[0]?.other ?? position];
  return null;
}
