// SPDX-License-Identifier: Apache-2.0
// Runs before the first paint, and before the rest is loaded.

// A chosen theme never flashes in the other one's colours.
const chosen = localStorage.getItem("ctfy.theme");
if (chosen === "light" || chosen === "dark") document.documentElement.dataset["theme"] = chosen;

// What didn't come because the network changed meanwhile is asked for again, with the whole page; so
// often, and no more.
const RELOADS_MAX = 3;
window.addEventListener(
  "error",
  (event) => {
    const reloads = Number(sessionStorage.getItem("ctfy.reloads"));
    if (!(event.target instanceof HTMLScriptElement || event.target instanceof HTMLLinkElement)) return;
    if (reloads >= RELOADS_MAX) return;
    sessionStorage.setItem("ctfy.reloads", String(reloads + 1));
    window.location.reload();
  },
  true,
);
export {};
