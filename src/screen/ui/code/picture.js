// The live picture and what lies on it.

import { send } from "./connection.js";

/** Least share of a picture's height that is shown to fill its frame; below, the whole picture is. */
const LEAST = 0.75;

const canvas = document.getElementById("mirror");
const context = canvas.getContext("2d");
const hand = document.getElementById("hand");
const ring = document.getElementById("hand-ring");
let wipes = 0;

/** Draws a picture and tells the mirror once it is on the glass. */
export async function draw(view, jpeg) {
  const wipe = wipes;
  try {
    const bitmap = jpeg && (await createImageBitmap(jpeg));
    if (bitmap && wipe === wipes) paint(bitmap);
    if (!bitmap) clear();
    bitmap?.close();
  } finally {
    await onGlass();
    send({ do: "seen", view });
  }
}

function paint(bitmap) {
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
  }
  context.drawImage(bitmap, 0, 0);
  canvas.classList.toggle("whole", isWhole(bitmap, canvas));
}

/** The next frame; a page that nobody looks at has none. */
function onGlass() {
  if (document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    requestAnimationFrame(resolve);
    setTimeout(resolve, 100);
  });
}

/** Whether a picture would lose too much of its height by filling a frame. */
export function isWhole(picture, frame) {
  const box = frame.getBoundingClientRect();
  const share = picture.width / picture.height / (box.width / box.height);
  return share < LEAST;
}

function clear() {
  canvas.width = 16;
  canvas.height = 9;
}

export function wipe() {
  wipes += 1;
  clear();
  showHand(null);
}

/** Shows the raised hand where it is in the picture. */
export function showHand(state) {
  hand.toggleAttribute("hidden", !state);
  if (!state) return;
  const { width, height } = canvas.getBoundingClientRect();
  const [across, down] = [width / canvas.width, height / canvas.height];
  const scale = canvas.classList.contains("whole") ? Math.min(across, down) : Math.max(across, down);
  const place = (share, picture, frame) => frame / 2 + (share - 0.5) * picture * scale;
  hand.style.left = `${place(state.x, canvas.width, width)}px`;
  hand.style.top = `${place(state.y, canvas.height, height)}px`;
  ring.style.strokeDashoffset = 100 * (1 - state.progress);
}
