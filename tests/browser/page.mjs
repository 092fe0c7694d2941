// A page under test: Chromium with what every case checks, and states that a mirror cannot be driven into.

import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { chromium } from "playwright-core";

const axe = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const TOUCH = 48;

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM,
    // Files that a test puts in place of the program's seem to come from another network.
    args: [...(process.env.UI ? ["--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"] : []), "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });

/** Stages whose pictures the documents show. */
const DOCUMENTED = ["attract", "worn", "result", "compare"];

export class MirrorPage {
  constructor(name, page, origin, problems) {
    Object.assign(this, { name, page, origin, problems, change: null, resend: null, cut: null, count: 0 });
  }

  static async open(browser, name, options, origin, problems) {
    const context = await browser.newContext({ ...options, bypassCSP: false });
    const page = await context.newPage();
    const mirror = new MirrorPage(name, page, origin, problems);
    page.setDefaultTimeout(120_000);
    page.on("request", (request) => mirror.check(["http", "ws"].every((scheme) => !request.url().startsWith(scheme)) || new URL(request.url()).host === new URL(origin).host, `asked for ${request.url()}`));
    page.on("websocket", (socket) => mirror.check(new URL(socket.url()).host === new URL(origin).host, `opened ${socket.url()}`));
    page.on("console", (message) => mirror.check(message.type() !== "error" || mirror.expectErrors, `console: ${message.text()}`));
    page.on("pageerror", (error) => mirror.check(false, `error: ${error.message}`));
    await page.routeWebSocket(/\/ws$/, (socket) => mirror.between(socket));
    if (process.env.UI) await mirror.serveFrom(process.env.UI);
    await page.goto(origin);
    return mirror;
  }

  /** Takes the page's files from a folder, to work on the page without building the program. */
  async serveFrom(folder) {
    const types = { css: "text/css", js: "text/javascript", json: "application/json", svg: "image/svg+xml", html: "text/html" };
    await this.page.route(/\/($|style\/|code\/|messages\/|icon)/, async (route) => {
      const path = new URL(route.request().url()).pathname;
      const file = join(folder, path === "/" ? "index.html" : path);
      const type = types[file.split(".").at(-1)];
      const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'";
      await route.fulfill({ body: readFileSync(file), headers: { "content-type": type, "content-security-policy": policy } });
    });
  }

  /** Stands between page and mirror, so that states can be changed on their way. */
  between(socket) {
    const server = socket.connectToServer();
    let last = null;
    const forward = (message) => {
      if (typeof message !== "string") return socket.send(message);
      const parsed = JSON.parse(message);
      if (parsed.type === "state") last = parsed;
      socket.send(JSON.stringify(this.change?.(parsed) ?? parsed));
    };
    this.resend = () => last && forward(JSON.stringify(last));
    this.cut = () => socket.close({ code: 1001 });
    server.onMessage(forward);
    socket.onMessage((message) => server.send(message));
  }

  /** Shows the page a state that differs from the mirror's. */
  async pretend(change) {
    this.change = (message) => (message.type === "state" ? { ...message, ...change(message) } : message);
    this.resend();
  }

  async honest() {
    this.change = null;
    this.resend();
  }

  check(holds, what) {
    if (!holds) {
      this.problems.push(`${this.name}: ${what}`);
      console.log(`  PROBLEM ${this.name}: ${what}`);
    }
  }

  screen(name) {
    return this.page.waitForFunction((name) => document.body.dataset.screen === name, name);
  }

  /** A screenshot of the state, and what holds in every state. */
  async state(name) {
    this.count += 1;
    const file = join(process.env.SHOTS, this.name, `${String(this.count).padStart(2, "0")}-${name}.png`);
    mkdirSync(dirname(file), { recursive: true });
    await this.page.waitForTimeout(500);
    await this.page.screenshot({ path: file });
    if (process.env.DOCS && DOCUMENTED.includes(name)) {
      await this.page.screenshot({ path: join(process.env.DOCS, `${name}.jpg`), type: "jpeg", quality: 82 });
    }
    await this.checkTargets(name);
    await this.checkAccess(name);
  }

  async checkAccess(name) {
    if (!(await this.page.evaluate(() => Boolean(window.axe)))) await this.page.evaluate(axe);
    const { violations } = await this.page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    for (const violation of violations) {
      const where = violation.nodes.map((node) => `${node.target.join(" ")} ${node.any.map((any) => any.message).join("; ")}`).join(" | ");
      this.check(false, `${name}: axe ${violation.id}: ${violation.help}: ${where.slice(0, 400)}`);
    }
  }

  async checkTargets(name) {
    const small = await this.page.evaluate((least) => {
      const targets = [...document.querySelectorAll("button, a[href], input, [role=slider]")];
      const visible = targets.filter((target) => target.checkVisibility({ visibilityProperty: true }));
      const size = (target) => target.getBoundingClientRect();
      return visible
        .filter((target) => size(target).width < least - 0.01 || size(target).height < least - 0.01)
        .map((target) => `${target.id || target.className || target.textContent} ${size(target).width}×${size(target).height}`);
    }, TOUCH);
    this.check(small.length === 0, `${name}: touch targets under ${TOUCH} px: ${small.join(", ")}`);
  }
}
