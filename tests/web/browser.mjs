// SPDX-License-Identifier: Apache-2.0
// Debian's Chromium, and people in front of it.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const packages = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = packages("playwright-core");
const axeSource = readFileSync(packages.resolve("axe-core/axe.min.js"), "utf8");

export const base = process.env.CTFY_URL;
export const state = process.env.CTFY_STATE;
export const PATIENCE_MS = Number(process.env.PATIENCE_MS ?? 240_000);
const shots = process.env.CTFY_SHOTS;
mkdirSync(shots, { recursive: true });

let browser;
let visitors = [];

/* All that any page asked of the API: "GET /api/v1/me". */
const calls = new Set();

/** Fails where the platform's own document doesn't know a call. */
export async function assertDocumented() {
  const { paths } = await (await fetch(`${base}/openapi.json`)).json();
  const known = Object.entries(paths).map(([path, methods]) => [
    new RegExp(`^${path.replace(/\{[^}]*\}/g, "[^/]+")}$`),
    Object.keys(methods).map((method) => method.toUpperCase()),
  ]);
  const isKnown = (call) => {
    const [method, path] = call.split(" ");
    return known.some(([pattern, methods]) => pattern.test(path) && methods.includes(method));
  };
  assert.deepEqual([...calls].filter((call) => !isKnown(call)), [], "calls that openapi.json doesn't have");
}

export async function openBrowser() {
  browser = await chromium.launch({
    executablePath: fileURLToPath(new URL("chromium.py", import.meta.url)),
    timeout: PATIENCE_MS,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
}

export const closeBrowser = () => browser?.close();

/** A test, of which there are pictures when it fails: what each of its people saw last. */
export function scene(name, act) {
  test(name, async () => {
    try {
      await act();
    } catch (error) {
      await Promise.all(visitors.map((page, i) => shoot(page, `failed-${i}`)));
      throw error;
    } finally {
      await Promise.all(visitors.map((page) => page.context().close()));
      visitors = [];
    }
  });
}

/** In the page: how much of it has moved without anybody's doing since it was loaded. */
function countShifts() {
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifted += shift.value;
  }).observe({ type: "layout-shift", buffered: true });
}

/* What browsers' makers call good. */
const SHIFT_MAX = 0.1;

export async function assertSteady(page) {
  const shifted = await page.evaluate(() => window.shifted);
  assert.ok(shifted < SHIFT_MAX, `${page.url()} moved by ${shifted} while it was loaded`);
}

/** Until nothing on the page is still on its way. */
export const waitLoaded = (page) => page.waitForFunction(() => !document.querySelector(".skeleton"));

/** A browser of one person's own. What the page throws, or its policy refuses, is kept in faults. */
export async function visit(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme: "light", ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  await page.addInitScript(countShifts);
  visitors.push(page);
  page.faults = [];
  page.strangers = [];
  page.on("pageerror", (error) => page.faults.push(String(error)));
  page.on("console", (message) => {
    // That a call was refused is told by the page, too.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) page.faults.push(message.text());
  });
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith("/api/")) calls.add(`${request.method()} ${pathname}`);
    if (!request.url().startsWith(base) && !request.url().startsWith("data:")) page.strangers.push(request.url());
  });
  return page;
}

/** What Chromium shows for url when it has nothing but the HTTP archive to go by. */
export async function showFromHar(path, url) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  try {
    await context.routeFromHAR(path, { notFound: "abort" });
    const page = await context.newPage();
    await page.goto(url, { timeout: PATIENCE_MS });
    return await page.content();
  } finally {
    await context.close();
  }
}

export function assertWell(page) {
  assert.deepEqual(page.faults, [], "what the page threw or was refused");
  assert.deepEqual(page.strangers, [], "requests to other hosts");
}

export const secret = () => randomBytes(12).toString("hex");

export async function register(page, name, password = secret()) {
  await page.goto(`${base}/register`);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Make the account" }).click();
  await page.getByRole("heading", { name: "Team", exact: true }).waitFor();
}

export async function makeTeam(page, name) {
  await page.getByLabel("Team's name").fill(name);
  await page.getByRole("button", { name: "Make the team" }).click();
  await page.getByRole("heading", { name, level: 1 }).waitFor();
}

export async function login(page, name, password) {
  await page.goto(`${base}/login`);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("heading", { name: "Challenges" }).waitFor();
}

/** Without the form: for pages that are no part of what is tried. */
export async function loginApi(page, name, password) {
  await page.goto(`${base}/scoreboard`);
  await page.evaluate(async (body) => {
    const answer = await fetch("/api/v1/sessions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...body, cookie: true }),
    });
    localStorage.setItem("ctfy.csrf", (await answer.json()).csrf_token);
  }, { name, password });
}

export const adminPassword = () => readFileSync(join(state, "platform/admin-password"), "utf8").trim();

/** Serious findings of axe-core fail; what fades in is finished first. */
export async function assertAccessible(page) {
  await page.evaluate(axeSource);
  const found = await page.evaluate(async () => {
    const { violations } = await axe.run({ resultTypes: ["violations"] });
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
  });
  assert.deepEqual(found, [], `what axe-core found on ${page.url()}`);
}

/** For people to look at. */
export async function shoot(page, name, options = {}) {
  await page.screenshot({ path: join(shots, `${name}.png`), animations: "disabled", ...options });
}

/** Nothing is wider than the page. */
export async function assertFits(page) {
  const [wide, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= shown, `${page.url()} is ${wide} wide on a screen of ${shown}`);
}
