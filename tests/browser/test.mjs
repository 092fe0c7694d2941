// The visits that are driven, each in its own window.

import { launch, MirrorPage } from "./page.mjs";

const origin = process.env.MIRROR_URL;
const problems = [];

/** Motion costs a machine without graphics most of its time; one case has it. */
const still = { reducedMotion: "reduce" };

const CASES = {
  landscape: { viewport: { width: 1920, height: 1080 }, ...still },
  portrait: { viewport: { width: 1080, height: 1920 }, hasTouch: true, ...still },
  small: { viewport: { width: 1280, height: 720 } },
  large: { viewport: { width: 3840, height: 2160 }, ...still },
  dark: { viewport: { width: 1920, height: 1080 }, colorScheme: "dark", ...still },
  arabic: { viewport: { width: 1920, height: 1080 }, locale: "ar", ...still },
  "arabic-portrait": { viewport: { width: 1080, height: 1920 }, locale: "ar", colorScheme: "dark", ...still },
};

/** Cases that also go through troubles, hints and takeover. */
const THOROUGH = ["landscape", "portrait", "arabic"];

async function visit(mirror) {
  const { page } = mirror;
  // Who stands there already has begun a visit: it is ended, so that another begins with the invitation.
  await page.waitForFunction(() => ["attract", "live"].includes(document.body.dataset.screen));
  await page.waitForTimeout(1500);
  if (await page.evaluate(() => document.body.dataset.screen === "live")) {
    await page.evaluate(() => document.getElementById("finish").click());
  }
  await mirror.screen("attract");
  await mirror.state("attract");
  await page.mouse.click(400, 400);
  await mirror.screen("live");
  await page.waitForFunction(() => document.getElementById("mirror").width > 16);
  await mirror.state("live");

  const piece = page.locator(".piece:visible").nth(2);
  const wanted = await page.locator(".piece-name").filter({ visible: true }).nth(2).textContent();
  await page.fill("#search", wanted);
  await page.waitForFunction(() => document.querySelectorAll(".piece:not([hidden])").length === 1);
  await mirror.state("search");
  await page.locator(".piece:visible").first().click();
  await page.waitForSelector(".piece[aria-pressed=true]");
  await page.click("#clear");
  await mirror.state("worn");
  await piece.focus();
  await page.keyboard.press("ArrowRight");
  mirror.check(await page.evaluate(() => document.activeElement.matches(".piece")), "arrows move among pieces");

  await takePicture(mirror);
  await slide(mirror);
  await mirror.state("slider");

  await page.click("#again");
  await mirror.screen("live");
  await page.click("#next");
  await page.click("#take");
  await mirror.screen("result");
  await page.waitForSelector("#strip button:nth-child(2)");
  await mirror.state("two-looks");
  await page.click("#compare");
  await page.waitForSelector("#grid li:nth-child(2) img[src]");
  await mirror.state("compare");
  await download(mirror);

  await page.click("#finish");
  await mirror.screen("wipe");
  const kept = await page.evaluate(() => [...document.images].filter((image) => image.src.startsWith("blob:")).length);
  mirror.check(kept === 0 && (await page.evaluate(() => document.getElementById("mirror").width === 16)), "pictures outlive the wipe");
  await mirror.state("wipe");
  await mirror.screen("attract");
}

async function takePicture(mirror) {
  const { page } = mirror;
  await mirror.pretend(() => ({ stage: { name: "countdown", seconds: 3 } }));
  await mirror.screen("countdown");
  mirror.check(/\S/.test(await page.textContent("#urgent")), "the countdown is announced");
  await mirror.state("countdown");
  await mirror.pretend(() => ({ stage: { name: "studio", percent: 42, seconds: 12 } }));
  await mirror.screen("studio");
  await mirror.state("studio");
  await mirror.honest();
  await mirror.screen("live");

  await page.evaluate(() => {
    window.screens = [];
    new MutationObserver(() => window.screens.push(document.body.dataset.screen)).observe(document.body, { attributeFilter: ["data-screen"] });
  });
  await page.focus("#take");
  await page.keyboard.press("Enter");
  await mirror.screen("result");
  const screens = await page.evaluate(() => window.screens.filter((screen, at) => screen !== window.screens[at - 1]).join(" "));
  mirror.check(screens === "countdown studio result", `a picture went through: ${screens}`);
  await page.waitForFunction(() => document.getElementById("after").naturalWidth > 0);
  await mirror.state("result");
}

async function slide(mirror) {
  const { page } = mirror;
  const value = async () => Number(await page.getAttribute("#slider", "aria-valuenow"));
  await page.focus("#slider");
  await page.keyboard.press("ArrowRight");
  mirror.check((await value()) === 52, `the right arrow moves the slider to ${await value()}`);
  await page.keyboard.press("Home");
  mirror.check((await value()) === 0, "Home moves the slider to 0");
  const box = await page.locator("#slider").boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.4, box.y + box.height / 2, { steps: 4 });
  await page.mouse.up();
  mirror.check(Math.abs((await value()) - 40) <= 1, `dragging moves the slider to ${await value()}`);
}

async function download(mirror) {
  const { page } = mirror;
  if (!(await page.isVisible("#download"))) return;
  const [file] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
  mirror.check(/^look-\d+\.png$/.test(file.suggestedFilename()), `the download is called ${file.suggestedFilename()}`);
  await file.path();
}

/** States that depend on camera, shop and network. */
async function exceptions(mirror, browser, options) {
  const { page } = mirror;
  await mirror.screen("attract");
  await mirror.pretend(() => ({ stage: { name: "consent" } }));
  await page.evaluate(() => null);
  await mirror.screen("consent");
  await page.evaluate(() => {
    document.getElementById("consent-text").textContent ||= document.querySelector("[data-text='attract.private']").textContent;
  });
  await mirror.state("consent");
  await mirror.honest();
  await mirror.screen("attract");
  await page.mouse.click(400, 400);
  await mirror.screen("live");

  await mirror.pretend(() => ({ hint: "come-closer", hand: { progress: 0.6, x: 0.62, y: 0.3 } }));
  await mirror.state("hint-and-hand");
  await mirror.pretend(() => ({ trouble: { kind: "does-not-fit", detail: "arms" } }));
  await mirror.state("does-not-fit");
  for (const kind of ["no-camera", "camera-busy", "camera-frozen", "camera-unreadable", "camera-failed", "no-nets"]) {
    const detail = kind === "camera-failed" ? "the camera /dev/video0 failed: input/output error" : null;
    await mirror.pretend(() => ({ trouble: { kind, detail } }));
    await mirror.screen("trouble");
    const line = await page.textContent("#trouble-line");
    mirror.check(line.length > 20, `no sentence for ${kind}`);
    if (detail || kind === "no-camera") await mirror.state(kind);
  }
  await mirror.honest();
  await mirror.screen("live");

  if (options.hasTouch) {
    await page.locator("#search").tap();
    await page.locator("#keyboard button").first().tap();
    mirror.check((await page.inputValue("#search")).length === 1, "a key on the glass types a letter");
    await mirror.state("keyboard");
    await page.locator("#clear").tap();
  }
  await page.fill("#search", "xyzzy");
  await mirror.state("nothing-found");
  await page.click("#clear");

  const second = await MirrorPage.open(browser, `${mirror.name}-second`, options, origin, problems);
  await mirror.screen("taken");
  await mirror.state("taken");
  await page.click("#here");
  await mirror.screen("live");
  await second.page.context().close();

  await page.route(/\/ws$/, (route) => route.abort());
  mirror.expectErrors = true;
  mirror.cut();
  await mirror.screen("moment");
  await mirror.state("moment");
  await mirror.screen("live");
  await page.click("#finish");
  await mirror.screen("attract");
}

const browser = await launch();
const wanted = (process.env.CASES || Object.keys(CASES).join(" ")).split(" ");
for (const name of wanted) {
  console.log(name);
  const options = { ...CASES[name], acceptDownloads: true };
  const mirror = await MirrorPage.open(browser, name, options, origin, problems);
  try {
    await visit(mirror);
    if (THOROUGH.includes(name)) await exceptions(mirror, browser, options);
  } catch (error) {
    await mirror.page.screenshot({ path: `${process.env.SHOTS}/${name}-failed.png` }).catch(() => null);
    mirror.check(false, `${error.message.split("\n")[0]} ${error.stack.match(/test\.mjs:\d+/)?.[0]}`);
    await mirror.page.evaluate(() => document.getElementById("finish").click()).catch(() => null);
  }
  await mirror.page.context().close();
}
await browser.close();
console.log(problems.length ? `${problems.length} problems:\n${problems.join("\n")}` : `no problems; screenshots in ${process.env.SHOTS}`);
process.exitCode = problems.length ? 1 : 0;
