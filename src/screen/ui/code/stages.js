// Which screen is shown, and what it says.

import * as catalogue from "./catalogue.js";
import { list, text } from "./messages.js";
import { showHand } from "./picture.js";
import * as result from "./result.js";

const element = (id) => document.getElementById(id);

/** Stages in which a mirror without a picture is of no use. */
const NEED_CAMERA = ["attract", "consent", "live", "countdown"];
/** Troubles that concern one garment or one picture, not the mirror. */
const PASSING = ["studio-failed", "does-not-fit"];

const urgent = element("urgent");
let counted = null;

/** Shows the state; `page` holds what only the page knows: `lost`, `taken`, `browsing` (looks while live). */
export function show(state, shop, page) {
  const screen = screenOf(state, page);
  const changed = document.body.dataset.screen !== screen;
  document.body.dataset.screen = screen;
  for (const section of document.querySelectorAll("[data-screens]")) section.hidden = section.dataset.screens !== screen;
  element("glass").hidden = !["live", "countdown", "studio"].includes(screen);
  element("finish").hidden = !["live", "result"].includes(screen);
  element("language").hidden = ["countdown", "studio"].includes(screen);
  element("brand").textContent = shop?.name ?? "";
  if (state) {
    showBanner(state, screen);
    showLive(state, shop, screen);
    showCountdown(state, screen);
    showStudio(state.stage);
    showTrouble(state.trouble);
    element("begin-hand").hidden = !shop?.handsFree;
    element("consent-text").textContent = shop?.consent ?? "";
    result.show(state.looks);
  }
  if (changed) enter(screen, state);
}

function screenOf(state, page) {
  if (page.taken) return "taken";
  if (page.lost || !state) return "moment";
  const stage = state.stage.name;
  const isOut = state.trouble && !PASSING.includes(state.trouble.kind);
  if (isOut && NEED_CAMERA.includes(stage)) return "trouble";
  return stage === "live" && page.browsing && state.looks.length ? "result" : stage;
}

/** Moves the focus to the new screen's first choice, where there is one. */
function enter(screen, state) {
  if (screen === "live" && state.wearing.length + state.looks.length === 0) catalogue.top();
  const section = document.querySelector(`[data-screens="${screen}"]:not([hidden]) [data-first]`)?.closest("[data-screens]");
  const first = section?.querySelector("[data-first]") ?? (screen === "live" ? element("take") : null);
  first?.focus({ preventScroll: true, focusVisible: false });
  if (screen !== "countdown") {
    const title = document.querySelector(`section[data-screens="${screen}"] h1`);
    element("announce").textContent = title?.textContent ?? "";
  }
}

function showLive(state, shop, screen) {
  const worn = catalogue.names(state.wearing);
  catalogue.wear(state.wearing);
  element("hint").textContent = state.hint && !state.trouble && screen === "live" ? text(`hint.${state.hint}`) : "";
  showHand(screen === "live" ? state.hand : null);
  element("stepper").hidden = worn.length === 0 || screen !== "live";
  element("worn-name").textContent = worn.at(-1) ?? "";
  element("off").hidden = worn.length === 0;
  element("looks-button").hidden = state.looks.length === 0;
  element("looks-button").textContent = text("live.looks", { count: state.looks.length });
  const wearing = worn.length > 1 ? text("live.wearing", { names: list(worn) }) : "";
  element("tip").textContent = worn.length ? wearing : text(shop?.handsFree ? "live.hand" : "live.pick");
}

function showCountdown({ stage }, screen) {
  const digits = element("digits");
  digits.hidden = screen !== "countdown";
  const seconds = digits.hidden ? null : stage.seconds;
  if (seconds === counted) return;
  counted = seconds;
  digits.replaceChildren();
  if (seconds === null) return;
  const digit = Object.assign(document.createElement("span"), { textContent: text("countdown.seconds", { seconds }) });
  digits.append(digit);
  urgent.textContent = digit.textContent;
}

function showStudio(stage) {
  if (stage.name !== "studio") return;
  const progress = element("progress");
  progress.style.setProperty("--percent", stage.percent);
  progress.setAttribute("aria-valuenow", stage.percent);
  element("left").textContent = left(stage.seconds);
  progress.setAttribute("aria-valuetext", left(stage.seconds));
}

function left(seconds) {
  if (seconds === null) return text("studio.unknown");
  return seconds > 1 ? text("studio.left", { seconds }) : text("studio.soon");
}

function showTrouble(trouble) {
  if (!trouble) return;
  element("trouble-line").textContent = text(`trouble.${trouble.kind}`);
  element("trouble-detail").hidden = !trouble.detail;
  element("trouble-detail").textContent = trouble.detail ? text("trouble.staff", { detail: trouble.detail }) : "";
}

function showBanner({ trouble }, screen) {
  const said = trouble && ["live", "countdown", "studio", "result"].includes(screen) ? text(`trouble.${trouble.kind}`) : "";
  const banner = element("banner");
  if (banner.textContent !== said) banner.textContent = said;
  banner.hidden = !said;
}
