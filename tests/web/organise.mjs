// SPDX-License-Identifier: Apache-2.0
// What organisers do: see an event at a glance, look into an instance, and act.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import {
  PATIENCE_MS, adminPassword, assertAccessible, assertFits, assertWell, base, login, makeTeam, register, scene, shoot, showFromHar, visit,
  waitLoaded,
} from "./browser.mjs";

/* The first start ever that is recorded builds the recorders' images. */
const FIRST_START_MS = 600_000;

async function startGuarded(player) {
  await player.goto(`${base}/challenges/guarded`);
  await player.getByRole("button", { name: "Start" }).click();
  await player.getByRole("timer").waitFor({ timeout: FIRST_START_MS });
  return player.locator(".endpoints a").innerText();
}

/** The server of an instance without a health check may still be on its way. */
async function fetchText(url) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await (await fetch(url)).text();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Until the terminal shows it. */
const terminalShows = (page, text) =>
  page.waitForFunction((wanted) => document.querySelector(".xterm-rows")?.innerText.includes(wanted), text);

async function typeLine(page, line) {
  await page.locator(".xterm-screen").click();
  await page.keyboard.type(`${line}\n`);
}

const SIZE = /^\d+ \d+$/gm;

const screen = (page) => page.locator(".xterm-rows").evaluate((rows) =>
  [...rows.children].map((row) => row.textContent.trimEnd()).join("\n"));

/** Asks the shell until it says another size than before. */
async function askSize(page, before) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const told = (await screen(page)).match(SIZE)?.at(-1);
    if (told && told !== before) return told;
    assert.ok(Date.now() < end, `no new size of the terminal:\n${await screen(page)}`);
    await typeLine(page, "stty size");
  }
}

async function useShell(organiser) {
  await organiser.getByRole("button", { name: "Shell in web" }).click();
  await terminalShows(organiser, "#");
  await typeLine(organiser, "echo $((6 * 7)).");
  await terminalShows(organiser, "42.");
  const wide = await askSize(organiser, null);
  await assertAccessible(organiser);
  await shoot(organiser, "instance-shell");
  await organiser.setViewportSize({ width: 1000, height: 860 });
  assert.notEqual(await askSize(organiser, wide), wide);
  await organiser.setViewportSize({ width: 1280, height: 860 });
  await typeLine(organiser, "exit 3");
  await organiser.getByText("The shell ended with status 3.").waitFor();
  await organiser.getByRole("button", { name: "Close" }).click();
}

async function readLogs(organiser) {
  await organiser.getByRole("tab", { name: "Logs" }).click();
  const log = organiser.getByRole("log");
  await log.getByText("guard <b>awake</b>").waitFor();
  const shown = await log.innerText();
  assert.doesNotMatch(shown, /\u001b|\u0007/);
  assert.ok(shown.includes(String.raw`web | \x1b]0;owned\x07\x1b[31mguard <b>awake</b>\x1b[0m`), shown);
  await assertAccessible(organiser);
}

async function readTraffic(organiser, address) {
  await organiser.getByRole("tab", { name: "Traffic" }).click();
  await organiser.getByRole("button", { name: "/index.html?said=" }).click();
  const response = organiser.getByLabel("Response");
  await response.getByText("<script>window.hacked = true</script>").waitFor();
  assert.match(await organiser.getByLabel("Request").innerText(), new RegExp(new URL(address).host));
  await organiser.getByLabel("Search traffic").fill("nothing like this");
  await organiser.getByText("Nothing fits.").waitFor();
  await organiser.getByLabel("Search traffic").fill("said=");
  await organiser.getByRole("button", { name: "/index.html?said=" }).waitFor();
  await assertAccessible(organiser);
  await shoot(organiser, "instance-traffic");
  const download = organiser.waitForEvent("download");
  await organiser.getByRole("link", { name: "HTTP, as HAR" }).click();
  const path = await (await download).path();
  const har = JSON.parse(await readFile(path, "utf8"));
  const said = har.log.entries.find((entry) => entry.request.url.includes("said="));
  assert.ok((await showFromHar(path, said.request.url)).includes("window.hacked = true"));
}

async function tellNews(organiser, player) {
  await organiser.getByRole("link", { name: "News" }).click();
  await organiser.getByLabel("What there is to know").fill("The guard has a <b>cold</b> today.");
  await organiser.getByRole("button", { name: "Tell them" }).click();
  const toast = player.getByRole("complementary", { name: "News" });
  await toast.getByText("<b>cold</b>").waitFor();
  await shoot(player, "toast");
  await toast.getByRole("button", { name: "Put away" }).click();
  await organiser.locator(".notice").getByText("<b>cold</b>").waitFor();
  await assertAccessible(organiser);
  await shoot(organiser, "news");
}

/** What is done to many is shown before, and done when that is agreed to. */
async function hideMany(organiser) {
  await organiser.getByRole("link", { name: "Teams" }).click();
  await organiser.getByRole("heading", { name: "Teams", level: 1 }).waitFor();
  await organiser.getByLabel("Names like").fill("copy*");
  await organiser.getByRole("button", { name: "Show what it does" }).click();
  const met = organiser.getByRole("region", { name: "Whom it meets" });
  await met.getByRole("row").filter({ hasText: "Copycats" }).getByText("hidden").waitFor();
  await assertAccessible(organiser);
  await shoot(organiser, "bulk", { fullPage: true });
  await organiser.getByRole("button", { name: "hide 1" }).click();
  await organiser.getByRole("dialog").getByRole("button", { name: "hide 1" }).click();
  await organiser.getByText("It is done.").waitFor();
  const teams = organiser.getByRole("region", { name: "Teams" });
  await teams.getByRole("row").filter({ hasText: "Copycats" }).getByText("hidden").waitFor();
}

async function seePlaces(organiser) {
  const places = ["Archives", "Nodes", "Images", "Challenges", "Submissions", "Reviews", "Teams", "Users", "Competitions", "Audit log", "At a glance"];
  for (const place of places) {
    await organiser.getByRole("navigation", { name: "Organise" }).getByRole("link", { name: place }).click();
    await organiser.getByRole("heading", { name: place, level: 1 }).waitFor();
    await waitLoaded(organiser);
    await assertAccessible(organiser);
    await shoot(organiser, `organise-${place.toLowerCase().replaceAll(" ", "-")}`, { fullPage: true });
  }
}

/** Another team hands in what was made for the first one. */
async function copy(answer) {
  const copycat = await visit();
  await register(copycat, "carbon");
  await makeTeam(copycat, "Copycats");
  await copycat.goto(`${base}/challenges/guarded`);
  await copycat.getByLabel(/^Answer:/).fill(answer);
  await copycat.getByRole("button", { name: "Submit" }).click();
  await copycat.getByText("That isn't it.").waitFor();
}

async function judge(organiser) {
  await organiser.getByRole("link", { name: "Reviews" }).click();
  await organiser.getByRole("heading", { name: "Copycats handed in an answer of Guards" }).waitFor();
  await assertAccessible(organiser);
  await shoot(organiser, "review");
  await organiser.getByLabel("Note").fill("They sat side by side.");
  await organiser.getByRole("button", { name: "Confirm" }).click();
  await organiser.locator(".badge").getByText("confirmed").waitFor();
}

/** What ails an instance is told to its team in a sentence of ours; at a glance, as it was said and no more. */
async function fallSick(organiser, player) {
  await player.goto(`${base}/challenges/sick`);
  await player.getByRole("button", { name: "Start" }).click();
  await player.getByText("Running, not well").waitFor();
  await player.getByText("its own check fails").waitFor();
  assert.equal(await player.getByText("database").count(), 0);
  await shoot(player, "sick");
  await organiser.getByRole("link", { name: "At a glance" }).click();
  await organiser.getByText("runs, and is not well: web is unhealthy: no <b>database</b>").waitFor();
  await assertAccessible(organiser);
  await shoot(organiser, "alerts");
  assert.equal(await organiser.evaluate(() => window.hacked), undefined);
  assert.equal(await player.evaluate(() => window.hacked), undefined);
}

async function drain(organiser) {
  await organiser.getByRole("link", { name: "Nodes" }).click();
  await organiser.getByRole("button", { name: "Drain" }).click();
  await organiser.locator(".badge").getByText("drained").waitFor();
  await organiser.getByRole("button", { name: "Use again" }).click();
  await organiser.getByRole("button", { name: "Drain" }).waitFor();
  await letJoin(organiser);
}

async function letJoin(organiser) {
  await organiser.getByLabel("Whom it is for").fill("Rack <b>2</b>");
  await organiser.getByRole("button", { name: "Make a secret" }).click();
  const commands = organiser.getByLabel("commands to join", { exact: true });
  assert.match(await commands.innerText(), /printf '%s\\n' '\w{20,}' > .*\n.*\nctfy join .* --url http:.*\n.*\nctfy node /);
  await assertAccessible(organiser);
  await shoot(organiser, "nodes-join", { fullPage: true });
  const row = organiser.getByRole("row").filter({ hasText: "Rack <b>2</b>" });
  await row.getByRole("button", { name: "Revoke" }).click();
  await row.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await row.waitFor({ state: "detached" });
  await organiser.getByRole("button", { name: "New token" }).click();
  await organiser.getByRole("dialog").getByText("ends at once").waitFor();
  await organiser.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
}

/** The player's instance gets an hour more, and the player hears of it. */
async function extend(organiser, player) {
  await organiser.getByLabel("How much more time").selectOption({ label: "1 hour" });
  await organiser.getByRole("button", { name: "Extend" }).click();
  const toast = player.getByRole("complementary", { name: "News" });
  await toast.getByText("Your instance of guarded: an organiser has set its end").waitFor();
  await player.getByRole("timer").getByText(/^1:\d\d:\d\d$/).waitFor();
  await shoot(player, "extended");
  await toast.getByRole("button", { name: "Put away" }).click();
}

async function warm(organiser) {
  await organiser.getByRole("link", { name: "Images" }).click();
  await organiser.getByLabel("What to warm").selectOption({ label: "CTF" });
  await organiser.getByRole("button", { name: "Warm all of it" }).click();
  const line = organiser.getByRole("row").filter({ hasText: "guarded" });
  await line.getByText("built", { exact: true }).waitFor();
  await line.getByText("pulled", { exact: true }).waitFor();
}

scene("an organiser watches an instance, types in its shell, reads its traffic, judges, drains and warms", async () => {
  const player = await visit();
  const organiser = await visit();
  await register(player, "mallory");
  await makeTeam(player, "Guards");
  const address = await startGuarded(player);
  const [answer] = (await fetchText(`${address}/index.html?said=<b>hello</b>`)).match(/flag\{\w+\}/);
  await copy(answer);

  await login(organiser, "admin", adminPassword());
  await organiser.getByRole("link", { name: "Organise" }).click();
  await organiser.getByRole("heading", { name: "At a glance" }).waitFor();
  await organiser.getByRole("link", { name: "Instances" }).click();
  await organiser.getByRole("row").filter({ hasText: "Guards" }).waitFor();
  await assertAccessible(organiser);
  await shoot(organiser, "instances");
  await organiser.getByRole("link", { name: "guarded" }).click();
  await organiser.getByRole("heading", { name: "guarded" }).waitFor();
  await shoot(organiser, "instance");
  await extend(organiser, player);
  await useShell(organiser);
  await organiser.getByRole("tab", { name: "Timeline" }).click();
  await organiser.locator(".timeline .event").first().waitFor();
  await shoot(organiser, "instance-timeline");
  await readLogs(organiser);
  await readTraffic(organiser, address);

  await tellNews(organiser, player);
  await organiser.getByRole("link", { name: "Organise" }).click();
  await organiser.getByRole("link", { name: "Instances" }).click();
  await organiser.getByRole("link", { name: "guarded" }).click();
  await organiser.getByRole("button", { name: "Stop" }).click();
  await organiser.getByRole("dialog").getByRole("button", { name: "Stop" }).click();
  await player.getByRole("button", { name: "Start a new one" }).waitFor();
  await organiser.getByText("Kept by the platform").waitFor();
  await organiser.getByRole("link", { name: "logs.txt" }).waitFor();
  await judge(organiser);
  await fallSick(organiser, player);
  await drain(organiser);
  await warm(organiser);
  await hideMany(organiser);
  await seePlaces(organiser);
  await organiser.getByRole("link", { name: "Audit log" }).click();
  await organiser.getByRole("cell", { name: "opened a shell" }).first().waitFor();

  await organiser.setViewportSize({ width: 390, height: 800 });
  await assertFits(organiser);
  await organiser.getByRole("link", { name: "At a glance" }).click();
  await organiser.getByText("Median start").waitFor();
  await assertFits(organiser);
  await shoot(organiser, "organise-phone");
  assert.equal(await organiser.evaluate(() => window.hacked), undefined);
  assertWell(organiser);
  assertWell(player);
});
