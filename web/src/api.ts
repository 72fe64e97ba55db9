// SPDX-License-Identifier: Apache-2.0
// The platform's public API, docs/platform-api.md: one call, and what is known of the session.

import { localTimes } from "./format";
import { navigate } from "./router";
import { createStore } from "./store";
import type { Me } from "./types";

const CSRF = "ctfy.csrf";

/** What the platform refused, in its own words. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

interface Fault {
  loc: (string | number)[];
  msg: string;
}

/** The account that is logged in; null: nobody; undefined: not known yet. */
export const me = createStore<Me | null | undefined>(undefined);

/** How far the server's clock is ahead of ours, in ms. */
let clockSkew = 0;

export function serverNow(): number {
  return Date.now() + clockSkew;
}

function describe(detail: unknown, status: number): string {
  if (typeof detail === "string") return localTimes(detail);
  if (Array.isArray(detail))
    return (detail as Fault[])
      .map((fault) => `${fault.loc.slice(1).join(".") || "body"}: ${fault.msg}`)
      .join("; ");
  return `the platform answered with status ${status}`;
}

async function refuse(answer: Response): Promise<never> {
  const body: unknown = await answer.json().catch(() => null);
  const detail = body && typeof body === "object" ? (body as { detail?: unknown }).detail : null;
  const retry = Number(answer.headers.get("Retry-After"));
  if (answer.status === 401 && me.get()) me.set(null);
  throw new ApiError(answer.status, describe(detail, answer.status), retry || null);
}

function learnClock(answer: Response) {
  const date = Date.parse(answer.headers.get("Date") ?? "");
  // The header has whole seconds: half of one is the best guess at what it left out.
  if (!Number.isNaN(date)) clockSkew = date + 500 - Date.now();
}

/* A browser drops its connections when the network changes, as it does where an engine makes one. */
const READ_AGAIN_MS = [100, 400, 1000];

/** Asks again after each of the pauses while nobody answers. */
async function reach(url: string, wish: RequestInit, pauses: number[]): Promise<Response> {
  try {
    return await fetch(url, wish);
  } catch {
    const [pause, ...later] = pauses;
    if (pause === undefined) throw new ApiError(0, "The platform doesn't answer. Is the network there?");
    await new Promise((resolve) => setTimeout(resolve, pause));
    return reach(url, wish, later);
  }
}

async function send(
  method: string,
  path: string,
  body: string | null,
  headers: Record<string, string>,
): Promise<Response> {
  const csrf = localStorage.getItem(CSRF);
  if (method !== "GET" && csrf) headers["X-CSRF-Token"] = csrf;
  const answer = await reach(
    `/api/v1${path}`,
    { method, headers, body, cache: "no-store", credentials: "same-origin" },
    method === "GET" ? READ_AGAIN_MS : [],
  );
  learnClock(answer);
  if (answer.status === 304 || answer.ok) return answer;
  return refuse(answer);
}

export function request(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  if (body === undefined) return send(method, path, null, headers);
  return send(method, path, JSON.stringify(body), { ...headers, "Content-Type": "application/json" });
}

/** With a body that is a file as its author wrote it. */
export const requestText = (method: string, path: string, body: string) =>
  send(method, path, body, { "Content-Type": "application/yaml" });

export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await request(method, path, body);
  return (answer.status === 204 ? null : await answer.json()) as T;
}

export const get = <T>(path: string) => call<T>("GET", path);

/** Fails as get() does where there is no such file; no more than its beginning is read. */
export async function checkFile(path: string): Promise<void> {
  const answer = await request("GET", path);
  await answer.body?.cancel();
}

interface Entry {
  token: string;
  next: string;
}

/** What an OpenID provider's login ends with, /login#csrf_token=...&next=..., out of the address and the history. */
function takeEntry(): Entry | null {
  const told = new URLSearchParams(window.location.hash.slice(1));
  const token = told.get("csrf_token");
  if (window.location.pathname !== "/login" || !token) return null;
  history.replaceState(null, "", "/login");
  return { token, next: told.get("next") ?? "/" };
}

let entry = takeEntry();

/** Anybody can write such an address: the word has to be our session's before it replaces the one that we know. */
async function enter({ token, next }: Entry): Promise<boolean> {
  try {
    const who = (await (await request("GET", "/me", undefined, { "X-CSRF-Token": token })).json()) as Me;
    localStorage.setItem(CSRF, token);
    navigate(next, { replace: true });
    me.set(who);
    return true;
  } catch (error) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return false;
    throw error;
  }
}

export async function learnMe(): Promise<void> {
  if (entry && (await enter(entry))) return;
  entry = null;
  if (!localStorage.getItem(CSRF)) {
    me.set(null);
    return;
  }
  try {
    me.set(await get<Me>("/me"));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    me.set(null);
  }
}

export async function login(name: string, password: string): Promise<void> {
  const session = await call<{ csrf_token: string }>("POST", "/sessions", {
    name,
    password,
    cookie: true,
  });
  localStorage.setItem(CSRF, session.csrf_token);
  me.set(await get<Me>("/me"));
}

export async function logout(): Promise<void> {
  await call("DELETE", "/sessions");
  localStorage.removeItem(CSRF);
  me.set(null);
}

export const isOrganiser = (who: Me | null | undefined) =>
  who?.role === "organiser" || who?.role === "admin";
