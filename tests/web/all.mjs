import { after, before } from "node:test";
import { closeBrowser, openBrowser } from "./browser.mjs";

before(openBrowser);
after(closeBrowser);
await import("./play.mjs");
