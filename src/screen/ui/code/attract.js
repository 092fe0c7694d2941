// The invitation: pieces of the catalogue drift past.

import { picture } from "./catalogue.js";

const SHOWN = 12;

const parade = document.getElementById("parade");

export function show({ pieces }) {
  if (pieces.length === 0) return parade.replaceChildren();
  const chosen = Array.from({ length: SHOWN }, (_, index) => pieces[Math.floor((index * 7 + 3) % pieces.length)]);
  parade.replaceChildren(row(chosen), row(chosen));
}

/** The row stands twice, so that the second takes the place of the first when it starts over. */
function row(pieces) {
  const row = Object.assign(document.createElement("div"), { className: "parade-row" });
  row.append(...pieces.map((piece) => Object.assign(document.createElement("img"), { src: picture(piece.id), alt: "" })));
  return row;
}
