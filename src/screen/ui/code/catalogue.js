// The pieces: categories, search, which are worn.

import { send } from "./connection.js";
import { onLanguage, text } from "./messages.js";

const ALL = "";

const list = document.getElementById("pieces");
const chips = document.getElementById("chips");
const search = document.getElementById("search");
const clear = document.getElementById("clear");
const nothing = document.getElementById("nothing");
const announce = document.getElementById("announce");

let pieces = [];
let version = 0;
let category = ALL;
let worn = [];

export const names = (ids) => ids.map((id) => pieces.find((piece) => piece.id === id)?.name ?? id);

/** Where a piece's picture is; another address once the catalogue changed. */
export const picture = (id) => `/piece/${id.split("/").map(encodeURIComponent).join("/")}.png?v=${version}`;

export function show(catalogue) {
  version = catalogue.version;
  pieces = catalogue.pieces.map((piece) => ({ ...piece, button: button(piece) }));
  list.replaceChildren(...pieces.map((piece) => piece.button));
  showChips();
  wear(worn);
}

/** Marks the pieces that are worn. */
export function wear(ids) {
  worn = ids;
  for (const piece of pieces) piece.button.setAttribute("aria-pressed", ids.includes(piece.id));
}

/** As for the next shopper: everything shown, nothing searched. */
export function reset() {
  category = ALL;
  search.value = "";
  showChips();
}

/** Back to the first piece; only a list that is shown can be scrolled. */
export function top() {
  list.scrollTo(0, 0);
  chips.scrollTo(0, 0);
}

function button(piece) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "piece";
  button.dataset.piece = piece.id;
  const frame = Object.assign(document.createElement("span"), { className: "piece-picture" });
  const image = Object.assign(document.createElement("img"), { src: picture(piece.id), alt: "", draggable: false, loading: "lazy" });
  const name = Object.assign(document.createElement("span"), { className: "piece-name", textContent: piece.name, dir: "auto" });
  frame.append(image);
  button.append(frame, name, check());
  button.onclick = () => send({ do: "wear", piece: piece.id });
  return button;
}

function check() {
  const space = "http://www.w3.org/2000/svg";
  const icon = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "path");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("class", "worn");
  path.setAttribute("d", "m5 12.5 4.5 4.5L19 7.5");
  icon.append(path);
  return icon;
}

function showChips() {
  const present = [...new Set(pieces.map((piece) => piece.category))];
  if (!present.includes(category)) category = ALL;
  const chip = (tag, label) => {
    const chip = Object.assign(document.createElement("button"), { type: "button", textContent: label });
    chip.setAttribute("aria-pressed", tag === category);
    chip.dataset.category = tag;
    chip.onclick = () => choose(tag);
    return chip;
  };
  chips.replaceChildren(chip(ALL, text("live.all")), ...present.map((tag) => chip(tag, text(`category.${tag}`))));
  filter();
}

function choose(tag) {
  category = tag;
  for (const chip of chips.children) {
    chip.setAttribute("aria-pressed", chip.dataset.category === tag);
    if (chip.dataset.category === tag) chip.scrollIntoView({ block: "nearest", inline: "center", behavior: "smooth" });
  }
  list.scrollTo(0, 0);
  filter();
}

/** Letters without their marks, so that nobody has to type them. */
const plain = (words) => words.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().trim();

function filter() {
  const words = plain(search.value).split(/\s+/).filter(Boolean);
  const fits = (piece) => {
    const about = plain(`${piece.name} ${text(`category.${piece.category}`)}`);
    return (category === ALL || piece.category === category) && words.every((word) => about.includes(word));
  };
  let found = 0;
  for (const piece of pieces) {
    piece.button.hidden = !fits(piece);
    found += !piece.button.hidden;
  }
  clear.hidden = !search.value;
  nothing.hidden = found > 0;
  nothing.textContent = pieces.length ? text("live.none", { words: search.value }) : text("live.empty");
  list.hidden = found === 0;
  if (words.length) announce.textContent = text("live.found", { count: found });
  oneTabStop();
}

/** The pieces are one stop for the Tab key; arrows move inside. */
function oneTabStop(focused) {
  const visible = [...list.children].filter((button) => !button.hidden);
  const stop = focused ?? visible.find((button) => button.tabIndex === 0) ?? visible[0];
  for (const button of list.children) button.tabIndex = button === stop ? 0 : -1;
}

list.addEventListener("focusin", ({ target }) => oneTabStop(target.closest(".piece")));

list.addEventListener("keydown", (event) => {
  const visible = [...list.children].filter((button) => !button.hidden);
  const at = visible.indexOf(document.activeElement);
  const first = visible[0]?.getBoundingClientRect().top;
  const across = visible.filter((button) => Math.abs(button.getBoundingClientRect().top - first) < 2).length;
  const forward = document.documentElement.dir === "rtl" ? -1 : 1;
  const steps = { ArrowRight: forward, ArrowLeft: -forward, ArrowDown: across, ArrowUp: -across, Home: -at, End: visible.length - 1 - at };
  const step = steps[event.key];
  if (at < 0 || step === undefined) return;
  event.preventDefault();
  visible[Math.min(Math.max(at + step, 0), visible.length - 1)].focus();
});

search.addEventListener("input", filter);
clear.addEventListener("click", () => {
  search.value = "";
  search.focus();
  filter();
});
onLanguage(showChips);
