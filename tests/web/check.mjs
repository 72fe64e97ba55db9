// SPDX-License-Identifier: Apache-2.0
// What an organiser learns of a challenge before anybody plays it.

import assert from "node:assert/strict";
import { adminPassword, assertAccessible, assertFits, assertWell, login, scene, shoot, visit } from "./browser.mjs";

/* The first run of a solver ever builds the image that it runs in. */
const SOLVER_IMAGE_MS = 600_000;

async function readRefusal(organiser) {
  const line = organiser.getByRole("row").filter({ hasText: "caged" });
  await line.getByText("refused by policy").waitFor();
  await assertAccessible(organiser);
  await shoot(organiser, "checks");
  await line.getByRole("link", { name: "caged" }).click();
  await organiser.getByRole("heading", { name: "caged", level: 1 }).waitFor();
  await organiser.getByText("a privileged service has all rights over the host").waitFor();
  await organiser.getByText("caged/compose.yml:6:17").waitFor();
  await organiser.getByLabel("Policy", { exact: true }).getByText('allow: ["privileged"]').waitFor();
  await assertAccessible(organiser);
  await shoot(organiser, "check-refused");
}

async function tryIt(organiser) {
  await organiser.getByRole("link", { name: "All checks" }).click();
  await organiser.getByRole("link", { name: "door" }).click();
  await organiser.getByText("Nothing is wrong with it.").waitFor();
  await organiser.getByText("Nobody has tried it here yet.").waitFor();
  await organiser.getByRole("button", { name: "Test run" }).click();
  await organiser.getByRole("list", { name: "Steps" }).getByText("Starting an instance").waitFor();
  await organiser.getByText("The solver found every answer.").waitFor({ timeout: SOLVER_IMAGE_MS });
  const output = await organiser.getByRole("log", { name: "Output" }).innerText();
  assert.match(output, /^<b>knocking<\/b>$/m);
  assert.match(output, /^flag\{\w+\}$/m);
  await organiser.getByRole("list", { name: "Answers" }).getByText("found").waitFor();
  await assertAccessible(organiser);
  await shoot(organiser, "check-solved");
}

scene("an organiser reads what is wrong with challenges, and has one tried", async () => {
  const organiser = await visit();
  await login(organiser, "admin", adminPassword());
  await organiser.getByRole("link", { name: "Organise" }).click();
  await organiser.getByRole("link", { name: "Checks" }).click();
  await organiser.getByRole("heading", { name: "Checks", level: 1 }).waitFor();
  await readRefusal(organiser);
  await tryIt(organiser);
  await organiser.setViewportSize({ width: 390, height: 800 });
  await assertFits(organiser);
  assertWell(organiser);
});
