// SPDX-License-Identifier: Apache-2.0
// What players do: register, start, solve, hand in, and see the board move.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { assertAccessible, assertFits, assertWell, base, makeTeam, register, scene, secret, shoot, visit } from "./browser.mjs";

const samples = fileURLToPath(new URL("../../challenges", import.meta.url));
const run = promisify(execFile);

/** What the sample's own solver finds at the addresses that the page shows. */
async function solve(page, challenge) {
  const addresses = await page.locator(".endpoints .endpoint-line > :first-child").allInnerTexts();
  const files = await mkdtemp(join(tmpdir(), "ctfy-web-"));
  try {
    const env = { ...process.env, CTFY_ATTACHMENTS: files };
    const { stdout } = await run(join(samples, challenge, "solve"), addresses, { env, timeout: 120_000 });
    return stdout.trim().split("\n");
  } finally {
    await rm(files, { recursive: true });
  }
}

/** Another team, by its name on the board. */
async function lookAtTeam(page, row) {
  await row.getByRole("link", { name: "Engines" }).click();
  await page.getByRole("heading", { name: "Engines", level: 1 }).waitFor();
  await page.getByRole("row").filter({ hasText: "Notes" }).getByText("First blood").waitFor();
  await page.locator(".members").getByText("ada").waitFor();
  await page.locator(".chart canvas").waitFor();
  await assertAccessible(page);
  await shoot(page, "team-record-dark");
}

/** What it is told stands in commands to paste; it sees its challenge, and no account. */
async function letAgentAtIt(page) {
  await page.getByText("Let an agent at it").click();
  await page.getByRole("button", { name: "Make a token" }).click();
  const commands = await page.getByLabel("commands for an agent", { exact: true }).innerText();
  const headers = { Authorization: `Bearer ${commands.match(/CTFY_TOKEN=(\w+)/)[1]}` };
  assert.equal((await fetch(`${base}/api/v1/challenges/notes-web`, { headers })).status, 200);
  assert.equal((await fetch(`${base}/api/v1/me/tokens`, { headers })).status, 403);
  await assertAccessible(page);
  await shoot(page, "agent-token", { fullPage: true });
}

/** Tokens and sessions; then another password, with which the token is good for nothing any more. */
async function useAccount(page, name, password) {
  await page.getByRole("link", { name }).click();
  await page.getByRole("row").filter({ hasText: "agent, notes-web" }).waitFor();
  await page.getByRole("region", { name: "Sessions" }).getByText("This browser").waitFor();
  await page.getByLabel("What it is for").fill("Nightly");
  await page.getByRole("button", { name: "Make a token" }).click();
  const token = await page.locator(".alert .endpoint-line code").innerText();
  const headers = { Authorization: `Bearer ${token}` };
  assert.equal((await fetch(`${base}/api/v1/me`, { headers })).status, 200);
  await assertAccessible(page);
  await shoot(page, "account", { fullPage: true });
  await page.getByLabel("Present password").fill(password);
  await page.getByLabel("New password").fill(secret());
  await page.getByRole("button", { name: "Change it" }).click();
  await page.getByText("The password is changed.").waitFor();
  assert.equal((await fetch(`${base}/api/v1/me`, { headers })).status, 401);
}

scene("a player registers, starts, solves and hands in, and another's board moves by itself", async () => {
  const player = await visit();
  const watcher = await visit({ colorScheme: "dark" });

  await player.goto(`${base}/login`);
  await player.getByRole("heading", { name: "Log in" }).waitFor();
  await shoot(player, "login");
  await assertAccessible(player);
  const password = secret();
  await register(player, "ada", password);
  await shoot(player, "team-new");
  await makeTeam(player, "Engines");
  await register(watcher, "grace");
  await makeTeam(watcher, "Compilers");
  await watcher.getByRole("link", { name: "Scoreboard" }).click();
  const row = watcher.getByRole("row").filter({ hasText: "Engines" });
  await row.waitFor();
  assert.match(await row.innerText(), /0$/);

  await player.getByRole("link", { name: "Challenges" }).click();
  await player.getByRole("link", { name: /Notes/ }).click();
  await player.getByRole("heading", { name: "Notes", level: 1 }).waitFor();
  await player.getByRole("button", { name: "Start" }).click();
  const clock = player.getByRole("timer");
  await clock.waitFor();
  assert.match(await clock.innerText(), /^(1:00:00|\d\d:\d\d)$/);
  await player.locator(".instance .badge.ok").first().waitFor();
  await player.getByText("A place for your notes").waitFor();
  await assertAccessible(player);
  await shoot(player, "challenge");
  await letAgentAtIt(player);

  const [answer] = await solve(player, "notes-web");
  const field = player.getByLabel(/^Answer:/);
  await field.fill("flag{not this one}");
  await player.getByRole("button", { name: "Submit" }).click();
  await player.getByText("That isn't it.").waitFor();
  await field.fill(answer);
  await field.press("Enter");
  await player.getByText(/Correct: 100 points/).waitFor();

  await row.getByText("100").waitFor();
  assert.match(await watcher.getByRole("row").nth(1).innerText(), /Engines/);
  await player.getByRole("button", { name: "Show it" }).click();
  await player.getByRole("dialog").getByRole("button", { name: "Show it" }).click();
  await player.getByText("single quote").waitFor();
  await row.getByText("90").waitFor();
  await watcher.locator(".chart canvas").waitFor();
  await assertAccessible(watcher);
  await shoot(watcher, "scoreboard-dark");
  await lookAtTeam(watcher, row);

  await player.getByRole("button", { name: "Stop" }).click();
  await player.getByRole("dialog").getByRole("button", { name: "Stop" }).click();
  await player.getByRole("button", { name: "Start a new one" }).waitFor();
  await player.getByRole("link", { name: "Challenges" }).first().click();
  await player.getByRole("link", { name: /Notes/ }).getByText("Solved", { exact: true }).waitFor();
  await player.getByRole("link", { name: /Notes/ }).getByText("Engines first").waitFor();
  await player.getByRole("button", { name: "pwn" }).click();
  await player.getByRole("link", { name: /Notes/ }).waitFor({ state: "detached" });
  await player.getByRole("button", { name: "All" }).click();
  await assertAccessible(player);
  await shoot(player, "challenges");
  await useAccount(player, "ada", password);
  await player.getByRole("link", { name: "Challenges" }).click();
  await player.setViewportSize({ width: 390, height: 800 });
  await assertFits(player);
  await shoot(player, "challenges-phone");
  assertWell(player);
  assertWell(watcher);
});
