// SPDX-License-Identifier: Apache-2.0
// All of it, or what the arguments name: "play", "guard".

import { after, before, test } from "node:test";
import { assertDocumented, closeBrowser, openBrowser } from "./browser.mjs";

const parts = process.argv.slice(2);

before(openBrowser);
after(closeBrowser);
for (const part of parts.length > 0 ? parts : ["play", "organise", "check", "guard"]) await import(`./${part}.mjs`);
test("the pages ask for nothing that the API's document doesn't have", assertDocumented);
