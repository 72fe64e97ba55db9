// SPDX-License-Identifier: Apache-2.0
// What must hold whatever is shown: nothing that anybody typed acts, it is light, and it needs no mouse.

import assert from "node:assert/strict";
import { request } from "node:http";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import {
  adminPassword, assertAccessible, assertFits, assertSteady, assertWell, base, loginApi, makeTeam, register, scene, shoot, visit,
  waitLoaded,
} from "./browser.mjs";

const EVIL = `<img src=x onerror="window.hacked=true">${process.pid}`;
const FIRST_LOAD_MAX = 150 * 1024;
const THROTTLE = 4;

const isHacked = (page) => page.evaluate(() => window.hacked === true);

scene("nothing that somebody typed acts", async () => {
  const page = await visit();
  await register(page, EVIL);
  await makeTeam(page, EVIL);
  await page.goto(`${base}/challenges`);
  await page.getByRole("heading", { name: "<svg onload=" }).waitFor();
  await page.getByRole("button", { name: "<svg onload=" }).waitFor();
  await page.getByText("<b onmouseover=").hover();
  await page.goto(`${base}/challenges/hostile`);
  await page.getByText("A description that tries").waitFor();
  const prose = page.locator(".prose");
  assert.equal(await prose.locator("img, script, iframe, form, input, style, svg").count(), 0);
  const targets = await prose.locator("a[href]").evaluateAll((links) => links.map((link) => link.href));
  assert.deepEqual(targets, ["https://example.org/"]);
  await page.getByLabel(/^Answer:/).fill(EVIL);
  await page.getByRole("button", { name: "Submit" }).click();
  await page.getByText("That isn't it.").waitFor();
  await assertAccessible(page);
  await page.goto(`${base}/team`);
  await page.getByRole("cell", { name: EVIL }).waitFor();
  await page.goto(`${base}/scoreboard`);
  await page.getByRole("cell", { name: EVIL }).getByRole("link").click();
  await page.getByRole("heading", { name: EVIL, level: 1 }).waitFor();
  await page.reload();
  await page.locator(".members").getByText(EVIL).waitFor();
  assert.ok(!(await isHacked(page)));
  // Where the description is taken apart, the policy says what it would have refused.
  page.faults = page.faults.filter((fault) => !/inline .* The action has been blocked/.test(fault));
  assertWell(page);

  const organiser = await visit();
  await loginApi(organiser, "admin", adminPassword());
  for (const place of ["submissions", "teams", "users"]) {
    await organiser.goto(`${base}/admin/${place}`);
    await organiser.getByText(EVIL).first().waitFor();
    assert.ok(!(await isHacked(organiser)));
  }
  assertWell(organiser);
});

/** What a login elsewhere comes back with: a session's cookie, and the word for it in the address. */
scene("a login with a provider ends inside, and no address that somebody wrote does", async () => {
  const page = await visit();
  await page.route("**/api/v1/oidc", (route) => route.fulfill({ json: { enabled: true, label: "Example" } }));
  await page.goto(`${base}/team`);
  const button = page.getByRole("link", { name: "Log in with Example" });
  await button.waitFor();
  assert.equal(await button.getAttribute("href"), "/api/v1/oidc/login?next=%2Fteam");
  await assertAccessible(page);
  await shoot(page, "login-with-provider");
  const word = await page.evaluate(async (password) => {
    const body = JSON.stringify({ name: "admin", password, cookie: true });
    const headers = { "Content-Type": "application/json" };
    return (await (await fetch("/api/v1/sessions", { method: "POST", headers, body })).json()).csrf_token;
  }, adminPassword());
  await page.goto(`${base}/login#csrf_token=guessed&next=/team`);
  await page.reload();
  await button.waitFor();
  assert.equal(await page.evaluate(() => localStorage.getItem("ctfy.csrf")), null);
  await page.goto(`${base}/scoreboard`);
  await page.goto(`${base}/login#csrf_token=${word}&next=/account`);
  await page.getByRole("heading", { name: "Account" }).waitFor();
  assert.equal(page.url(), `${base}/account`);
  await page.getByRole("link", { name: "Link Example" }).waitFor();
  await page.getByRole("button", { name: "Log out" }).click();
  await button.waitFor();
  assertWell(page);
});

/** The status of a WebSocket's handshake that a page of `origin` makes an organiser's browser do. */
function shake(cookie, origin) {
  const headers = {
    Cookie: cookie, Origin: origin, Connection: "Upgrade", Upgrade: "websocket",
    "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  return new Promise((resolve, reject) => {
    const path = `${base}/api/v1/admin/instances/none/containers/none/shell`;
    request(path, { headers }, (answer) => resolve(answer.resume().statusCode)).on("error", reject).end();
  });
}

scene("a challenge's page opens no shell with an organiser's cookie", async () => {
  const organiser = await visit();
  await loginApi(organiser, "admin", adminPassword());
  const [cookie] = await organiser.context().cookies(`${base}/api/v1`);
  assert.ok(cookie.httpOnly);
  const sent = `${cookie.name}=${cookie.value}`;
  assert.equal(await shake(sent, base), 404);
  assert.equal(await shake(sent, base.replace(/\d+$/, "1")), 403);
  assert.equal(await shake(sent, "https://example.org"), 403);
  assert.equal(await shake(sent, "null"), 403);
});

/** A plain request, without what fetch() does by itself. */
function ask(path, headers = {}) {
  return new Promise((resolve, reject) => {
    request(`${base}${path}`, { headers }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
    }).on("error", reject).end();
  });
}

scene("files are compressed as the client likes, and good for ever; the page is neither cached nor framed", async () => {
  const page = await ask("/challenges/notes-web");
  const [file] = page.body.toString().match(/\/assets\/main-\w+\.js/);
  assert.match(page.headers["content-security-policy"], /default-src 'none'.*frame-ancestors 'none'/);
  assert.doesNotMatch(page.headers["content-security-policy"], /unsafe/);
  assert.equal(page.headers["cache-control"], "no-cache");
  assert.equal((await ask("/", { "If-None-Match": page.headers.etag })).status, 304);

  const plain = await ask(file);
  assert.equal(plain.headers["content-encoding"], undefined);
  assert.match(plain.headers["cache-control"], /immutable/);
  const open = { br: brotliDecompressSync, gzip: gunzipSync };
  for (const [accepted, encoding] of [["gzip, br", "br"], ["gzip, deflate", "gzip"], ["br;q=0, gzip;q=0.5", "gzip"]]) {
    const answer = await ask(file, { "Accept-Encoding": accepted });
    assert.equal(answer.headers["content-encoding"], encoding);
    assert.ok(open[encoding](answer.body).equals(plain.body));
  }
  for (const accepted of ["identity", "br;q=0", "brotli", "gzip;q=0.0, br; q=0"])
    assert.equal((await ask(file, { "Accept-Encoding": accepted })).headers["content-encoding"], undefined, accepted);
  assert.equal((await ask("/assets/main-NONE.js")).status, 404);
  assert.equal((await ask("/assets/..%2findex.html")).status, 404);
});

scene("the first load is light", async () => {
  const page = await visit();
  const client = await page.context().newCDPSession(page);
  let bytes = 0;
  await client.send("Network.enable");
  client.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  await client.send("Emulation.setCPUThrottlingRate", { rate: THROTTLE });
  await page.goto(`${base}/login`);
  const field = page.getByLabel("Name");
  await field.fill("a");
  const ready = await page.evaluate(() => performance.now());
  await page.waitForLoadState("load");
  console.log(`first load: ${bytes} bytes, usable ${Math.round(ready)} ms after its start, with a ${THROTTLE}th of the CPU`);
  assert.ok(bytes < FIRST_LOAD_MAX, `${bytes} bytes, more than ${FIRST_LOAD_MAX}`);
});

scene("nothing jumps while a page is loaded", async () => {
  const page = await visit();
  await loginApi(page, "admin", adminPassword());
  const places = { "/challenges": "Notes", "/challenges/notes-web": "A place for your notes", "/scoreboard": "Rank", "/admin": "Median start", "/admin/nodes": "healthy" };
  for (const [path, text] of Object.entries(places)) {
    await page.goto(`${base}${path}`);
    await page.getByText(text).first().waitFor();
    await waitLoaded(page);
    await assertSteady(page);
  }
  assertWell(page);
});

scene("the API's page fits its window", async () => {
  const page = await visit();
  await page.goto(`${base}/docs`);
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 800 });
    await assertFits(page);
  }
  assertWell(page);
});

scene("an account, a team and an answer take no mouse, and a small screen is enough", async () => {
  const page = await visit({ viewport: { width: 360, height: 720 }, colorScheme: "dark" });
  const type = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  const tabTo = async (locator) => {
    for (let i = 0; i < 60; i++) {
      if (await locator.evaluate((element) => element === document.activeElement)) return;
      await type("Tab");
    }
    assert.fail(`Tab doesn't get to ${locator}`);
  };
  await page.goto(`${base}/register`);
  await page.getByRole("heading", { name: "Make an account" }).waitFor();
  await tabTo(page.getByLabel("Name"));
  await page.keyboard.type("keys");
  await type("Tab");
  await page.keyboard.type("no mouse at all");
  await type("Enter");
  await page.getByRole("heading", { name: "Team", exact: true }).waitFor();
  await tabTo(page.getByLabel("Team's name"));
  await page.keyboard.type("Keyboards");
  await type("Enter");
  await page.getByRole("heading", { name: "Keyboards" }).waitFor();
  await assertFits(page);
  await tabTo(page.getByRole("link", { name: "Challenges" }));
  await type("Enter");
  await page.getByRole("heading", { name: "Challenges" }).waitFor();
  await tabTo(page.getByLabel("Search challenges"));
  await page.keyboard.type("overflow");
  await page.getByRole("link", { name: /Notes/ }).waitFor({ state: "detached" });
  await tabTo(page.getByRole("link", { name: /Overflow/ }));
  await type("Enter");
  await page.getByRole("heading", { name: "Overflow", level: 1 }).waitFor();
  await tabTo(page.getByLabel(/^Answer:/));
  await page.keyboard.type("flag{by keys}");
  await type("Enter");
  await page.getByText("That isn't it.").waitFor();
  await assertFits(page);
  await assertAccessible(page);
  await shoot(page, "challenge-phone-dark", { fullPage: true });
  await tabTo(page.getByRole("link", { name: "keys" }));
  await type("Enter");
  await page.getByRole("heading", { name: "Account" }).waitFor();
  await page.getByText("This browser").waitFor();
  await assertFits(page);
  await assertAccessible(page);
  await shoot(page, "account-phone-dark", { fullPage: true });
  assertWell(page);
});
