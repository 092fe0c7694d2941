// What the page says, in the language of the shop, the browser, or the shopper's choice.

let messages = {};
let current = "en";
const listeners = [];

export async function load() {
  const get = async (path) => (await fetch(path)).json();
  const tags = await get("/messages/languages.json");
  const all = await Promise.all(tags.map((tag) => get(`/messages/${tag}.json`)));
  messages = Object.fromEntries(tags.map((tag, index) => [tag, all[index]]));
  use(preferred(null));
}

/** The language that comes after the current one. */
export function other() {
  const tags = Object.keys(messages);
  return tags[(tags.indexOf(current) + 1) % tags.length];
}

export const nameOf = (tag) => messages[tag]["language.name"];

/** The first known language of: the shop's, the browser's. */
export function preferred(shop) {
  const wanted = [shop, ...navigator.languages].filter(Boolean).map((tag) => tag.toLowerCase().split("-")[0]);
  return wanted.find((tag) => messages[tag]) ?? Object.keys(messages)[0];
}

export function use(tag) {
  current = tag;
  document.documentElement.lang = tag;
  document.documentElement.dir = text("language.direction");
  document.title = text("page.title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", text(element.dataset.label));
  for (const element of document.querySelectorAll("[data-placeholder]")) element.placeholder = text(element.dataset.placeholder);
  for (const listener of listeners) listener();
}

export const onLanguage = (listener) => listeners.push(listener);

/** A message with its places filled; numbers in the language's digits. */
export function text(key, values = {}) {
  const message = messages[current]?.[key] ?? "";
  return message.replace(/\{(\w+)\}/g, (_, name) => shown(values[name]));
}

const shown = (value) => (typeof value === "number" ? new Intl.NumberFormat(current).format(value) : value);

/** Names joined as the language does. */
export const list = (names) => new Intl.ListFormat(current, { type: "conjunction" }).format(names);
