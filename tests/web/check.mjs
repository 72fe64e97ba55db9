// What an organiser learns of a challenge before anybody plays it.

import { adminPassword, assertAccessible, assertFits, assertWell, login, scene, shoot, visit } from "./browser.mjs";

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

scene("an organiser reads what is wrong with challenges", async () => {
  const organiser = await visit();
  await login(organiser, "admin", adminPassword());
  await organiser.getByRole("link", { name: "Organise" }).click();
  await organiser.getByRole("link", { name: "Checks" }).click();
  await organiser.getByRole("heading", { name: "Checks", level: 1 }).waitFor();
  await readRefusal(organiser);
  await organiser.setViewportSize({ width: 390, height: 800 });
  await assertFits(organiser);
  assertWell(organiser);
});
