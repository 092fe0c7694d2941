// Before and after in one frame, with a line between them to drag.

import { onLanguage, text } from "./messages.js";

const STEPS = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100 };

const slider = document.getElementById("slider");
let split = 50;

export function set(percent) {
  split = Math.min(Math.max(percent, 0), 100);
  slider.style.setProperty("--split", `${split}%`);
  slider.setAttribute("aria-valuenow", Math.round(split));
  slider.setAttribute("aria-valuetext", text("result.value", { percent: Math.round(split) }));
}

function follow(event) {
  const { left, width } = slider.getBoundingClientRect();
  set(((event.clientX - left) / width) * 100);
}

slider.addEventListener("pointerdown", (event) => {
  slider.setPointerCapture(event.pointerId);
  follow(event);
});
slider.addEventListener("pointermove", (event) => {
  if (slider.hasPointerCapture(event.pointerId)) follow(event);
});
slider.addEventListener("keydown", (event) => {
  if (!(event.key in STEPS)) return;
  event.preventDefault();
  set(split + STEPS[event.key]);
});
onLanguage(() => set(split));
