// The mirror's page: what the mirror says goes to the screens, what the shopper does goes to the mirror.

import * as attract from "./attract.js";
import * as catalogue from "./catalogue.js";
import * as connection from "./connection.js";
import * as keyboard from "./keyboard.js";
import * as messages from "./messages.js";
import * as picture from "./picture.js";
import * as result from "./result.js";
import * as stages from "./stages.js";

/** How often touches tell the mirror that somebody is there. */
const WAKE = 1000;

const element = (id) => document.getElementById(id);
const page = { lost: true, taken: false, browsing: false };
let state = null;
let shop = null;
let woken = 0;

const show = () => stages.show(state, shop, page);

function wipe() {
  connection.forget();
  picture.wipe();
  result.wipe();
  catalogue.reset();
  keyboard.close();
  page.browsing = false;
  if (state) state = { ...state, looks: [], wearing: [], hand: null };
  messages.use(messages.preferred(shop?.language));
}

const handlers = {
  picture: picture.draw,
  wipe,
  shop(message) {
    const isNew = shop?.language !== message.language || !shop;
    shop = message;
    result.allowDownload(shop.download);
    if (isNew) messages.use(messages.preferred(shop.language));
  },
  catalogue(message) {
    catalogue.show(message);
    attract.show(message);
    if (state) show();
  },
  state(message) {
    page.lost = false;
    page.taken = false;
    if (message.stage.name !== "live") page.browsing = false;
    state = message;
    show();
  },
  taken() {
    page.taken = true;
    wipe();
    show();
  },
  lost() {
    page.lost = true;
    wipe();
    show();
  },
};

/** Any touch or key: somebody is there. */
function wake() {
  const now = performance.now();
  if (now - woken < WAKE && state?.stage.name !== "attract") return;
  woken = now;
  connection.send({ do: "wake" });
}

function finish() {
  connection.send({ do: "done" });
}

function again() {
  if (state?.stage.name === "result") connection.send({ do: "back" });
  page.browsing = false;
  show();
}

function back() {
  const stage = state?.stage.name;
  if (stage === "countdown" || stage === "studio") connection.send({ do: "cancel" });
  if (document.body.dataset.screen === "result") again();
}

const clicks = {
  take: () => connection.send({ do: "take-picture" }),
  off: () => connection.send({ do: "take-off" }),
  previous: () => connection.send({ do: "step", by: -1 }),
  next: () => connection.send({ do: "step", by: 1 }),
  "looks-button"() {
    page.browsing = true;
    show();
  },
  finish,
  again,
  here() {
    page.taken = false;
    page.lost = true;
    show();
    connection.open();
  },
  language: () => messages.use(messages.other()),
};

for (const [id, click] of Object.entries(clicks)) element(id).addEventListener("click", click);
for (const button of document.querySelectorAll("[data-do]")) {
  button.addEventListener("click", () => connection.send({ do: button.dataset.do }));
}
// The language may be changed before the visit begins.
addEventListener("pointerdown", ({ target }) => {
  if (!element("language").contains(target)) wake();
});
addEventListener("keydown", ({ key }) => {
  const isLanguage = document.activeElement === element("language");
  if (!isLanguage && key !== "Tab") wake();
  if (key === "Escape") back();
});
addEventListener("contextmenu", (event) => event.preventDefault());
addEventListener("resize", show);
messages.onLanguage(() => {
  const other = messages.other();
  element("language").textContent = messages.nameOf(other);
  element("language").lang = other;
  show();
});

await messages.load();
connection.start(handlers);
