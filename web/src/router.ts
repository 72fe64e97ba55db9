// SPDX-License-Identifier: Apache-2.0
// Which page the address names. Links are plain <a href>; those to our own pages don't load anew.

import type { ComponentType } from "preact";
import { createStore } from "./store";

export type Params = Record<string, string>;

export interface Route {
  path: string;
  page: ComponentType<{ params: Params }>;
}

export const location_ = createStore(window.location.pathname);

export function navigate(path: string, { replace = false } = {}) {
  if (replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  location_.set(window.location.pathname);
  window.scrollTo(0, 0);
}

/** The parameters of a path that fits; null: it doesn't. */
export function match(pattern: string, path: string): Params | null {
  const wanted = pattern.split("/");
  const given = path.replace(/(.)\/$/, "$1").split("/");
  const params: Params = {};
  if (wanted.length !== given.length) return null;
  for (let i = 0; i < wanted.length; i++) {
    const want = wanted[i]!;
    if (want.startsWith(":")) params[want.slice(1)] = decodeURIComponent(given[i]!);
    else if (want !== given[i]) return null;
  }
  return params;
}

function onClick(event: MouseEvent) {
  const link = (event.target as Element).closest?.("a");
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.target || link.hasAttribute("download") || link.origin !== window.location.origin) return;
  if (link.pathname.startsWith("/api/") || link.hash) return;
  event.preventDefault();
  navigate(link.pathname + link.search);
}

document.addEventListener("click", onClick);
window.addEventListener("popstate", () => location_.set(window.location.pathname));
