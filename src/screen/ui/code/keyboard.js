// Letters on the glass, for a mirror without a keyboard: they come when the search is touched.

import { onLanguage, text } from "./messages.js";

const keyboard = document.getElementById("keyboard");
const search = document.getElementById("search");

const close = () => {
  keyboard.hidden = true;
};

function key(label, action, className = "") {
  const key = Object.assign(document.createElement("button"), { type: "button", className, textContent: label });
  // The search keeps the focus.
  key.onpointerdown = (event) => event.preventDefault();
  key.onclick = action;
  return key;
}

function change(letters) {
  search.value = letters.slice(0, search.maxLength);
  search.dispatchEvent(new Event("input"));
}

function build() {
  const rows = text("keyboard.rows").split(" ").map((letters) => {
    const row = document.createElement("div");
    row.append(...Array.from(letters, (letter) => key(letter, () => change(search.value + letter))));
    return row;
  });
  const last = document.createElement("div");
  last.append(
    key(text("keyboard.delete"), () => change(search.value.slice(0, -1)), "wide"),
    key(text("keyboard.space"), () => change(`${search.value} `), "space"),
    key(text("keyboard.close"), close, "wide"),
  );
  keyboard.replaceChildren(...rows, last);
}

search.addEventListener("pointerup", ({ pointerType }) => {
  if (pointerType !== "mouse") keyboard.hidden = false;
});
addEventListener("pointerdown", ({ target }) => {
  if (!keyboard.contains(target) && target !== search) close();
});
addEventListener("keydown", close);
onLanguage(build);

export { close };
