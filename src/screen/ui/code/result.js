// The finished looks of the visit.

import * as catalogue from "./catalogue.js";
import { list, onLanguage, text } from "./messages.js";
import { isWhole } from "./picture.js";
import * as slider from "./slider.js";

const element = (id) => document.getElementById(id);

/** Pictures of looks, as object URLs, by number and side. */
const pictures = new Map();
let looks = [];
let shown = null;
let comparing = false;
let download = false;

export const allowDownload = (allowed) => {
  download = allowed;
  update();
};

export function show(given) {
  const newest = given.at(-1)?.number ?? null;
  const isNew = newest !== looks.at(-1)?.number;
  looks = given;
  if (isNew) {
    comparing = false;
    choose(newest);
  } else {
    update();
  }
}

/** Drops every picture of a look. */
export function wipe() {
  for (const picture of pictures.values()) picture.then((url) => url && URL.revokeObjectURL(url));
  pictures.clear();
  for (const image of [element("before"), element("after")]) image.removeAttribute("src");
  element("strip").replaceChildren();
  element("grid").replaceChildren();
  looks = [];
  shown = null;
  comparing = false;
}

function choose(number) {
  shown = number;
  slider.set(50);
  update();
}

function picture(number, side) {
  const path = `/look/${number}/${side}.jpg`;
  if (!pictures.has(path)) pictures.set(path, fetched(path));
  return pictures.get(path);
}

async function fetched(path) {
  try {
    const answer = await fetch(path);
    return answer.ok ? URL.createObjectURL(await answer.blob()) : null;
  } catch {
    return null;
  }
}

/** Where a picture is cut off, the person stays in view. */
async function fill(image, { number, focus }, side) {
  image.dataset.look = number;
  image.style.objectPosition = `${focus * 100}% 50%`;
  const url = await picture(number, side);
  if (url && image.dataset.look === String(number) && looks.some((look) => look.number === number)) image.src = url;
}

function update() {
  const look = looks.find((look) => look.number === shown);
  element("compare").hidden = looks.length < 2;
  element("compare").textContent = text(comparing ? "result.single" : "result.compare");
  element("slider").hidden = comparing;
  element("grid").hidden = !comparing;
  element("strip").hidden = looks.length < 2;
  element("download").hidden = !download || !look;
  if (!look) return;
  element("result-title").textContent = title(look);
  showWorn(comparing ? [] : look.wearing);
  element("download").href = `/look/${look.number}/after.png`;
  fill(element("before"), look, "before");
  fill(element("after"), look, "after");
  showStrip();
  showGrid();
}

function title(look) {
  if (comparing) return text("result.all");
  return looks.length > 1 ? text("result.look", { number: place(look) }) : text("result.title");
}

const place = (look) => looks.indexOf(look) + 1;

const worn = (look) => (look.wearing.length ? list(catalogue.names(look.wearing)) : text("result.bare"));

function showWorn(ids) {
  const items = catalogue.names(ids).map((name, index) => {
    const item = document.createElement("li");
    const image = Object.assign(document.createElement("img"), { src: catalogue.picture(ids[index]), alt: "" });
    item.append(image, Object.assign(document.createElement("span"), { textContent: name, dir: "auto" }));
    return item;
  });
  element("worn-list").replaceChildren(...items);
}

function image(look) {
  const image = Object.assign(document.createElement("img"), { alt: "", draggable: false });
  fill(image, look, "after");
  return image;
}

function showStrip() {
  const strip = element("strip");
  const focused = document.activeElement?.dataset.look;
  const buttons = looks.map((look) => {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.dataset.look = look.number;
    button.setAttribute("aria-pressed", look.number === shown);
    const label = Object.assign(document.createElement("span"), { textContent: text("result.look", { number: place(look) }) });
    button.append(image(look), label);
    button.onclick = () => {
      comparing = false;
      choose(look.number);
    };
    return button;
  });
  strip.replaceChildren(...buttons);
  if (focused) buttons.find((button) => button.dataset.look === focused)?.focus();
}

function showGrid() {
  const grid = element("grid");
  const upright = innerHeight > innerWidth;
  const columns = Math.ceil(looks.length / Math.ceil(looks.length / (upright ? 2 : 3)));
  grid.style.setProperty("--columns", columns);
  if (!comparing) return grid.replaceChildren();
  const items = looks.map((look) => {
    const item = document.createElement("li");
    const caption = Object.assign(document.createElement("p"), { className: "pill", textContent: worn(look) });
    item.append(image(look), caption);
    return item;
  });
  grid.replaceChildren(...items);
}

element("compare").addEventListener("click", () => {
  comparing = !comparing;
  update();
});
element("after").addEventListener("load", ({ target }) => {
  const size = { width: target.naturalWidth, height: target.naturalHeight };
  element("slider").classList.toggle("whole", isWhole(size, element("slider")));
});
onLanguage(update);
