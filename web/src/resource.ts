// SPDX-License-Identifier: Apache-2.0
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError, get, request } from "./api";

/** What a path of the API tells, as of now. */
export interface Resource<T> {
  data: T | undefined;
  error: ApiError | undefined;
  reload: () => Promise<void>;
  put: (data: T) => void;
}

function visible(): Promise<void> {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) =>
    document.addEventListener("visibilitychange", () => resolve(), { once: true }),
  );
}

/** Time in ms until something is read again; 0: it isn't. */
type Pace<T> = number | ((data: T | undefined) => number);

const MOST_ROWS = 10000;

type Lists = Record<string, unknown> & { next_cursor?: string | null };

/** The rest of a list that comes in pages, behind what is there of it. */
async function readOn<T>(path: string, first: T): Promise<T> {
  const all = first as Lists;
  while (all.next_cursor) {
    const query = `limit=${MOST_ROWS}&cursor=${encodeURIComponent(all.next_cursor)}`;
    const page = await get<Lists>(`${path}${path.includes("?") ? "&" : "?"}${query}`);
    for (const [name, rows] of Object.entries(page))
      if (Array.isArray(rows)) all[name] = [...(all[name] as unknown[]), ...rows];
    all.next_cursor = page.next_cursor ?? null;
  }
  return first;
}

/**
 * Reads a path, and again at the given pace while the page is looked at; null reads nothing. What
 * was read stays while it is read again, also when that fails. A list that comes in pages is read
 * to its end, unless the path says how much of it is wanted.
 */
export function useGet<T>(path: string | null, pace: Pace<T> = 0): Resource<T> {
  const [state, setState] = useState<{ path: string | null; data?: T | undefined; error?: ApiError }>({ path });
  const etag = useRef<string | null>(null);
  const current = useRef(path);
  current.current = path;

  const reload = useCallback(async () => {
    if (path === null) return;
    try {
      const known = etag.current;
      const answer = await request("GET", path, undefined, known ? { "If-None-Match": known } : {});
      if (current.current !== path) return;
      if (answer.status === 304) {
        setState((old) => (old.error ? { path, data: old.data } : old));
        return;
      }
      etag.current = answer.headers.get("ETag");
      const first = (await answer.json()) as T;
      const data = path.includes("limit=") ? first : await readOn(path, first);
      if (current.current === path) setState({ path, data });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (current.current === path)
        setState((old) => ({ path, error, ...(old.path === path && { data: old.data }) }));
    }
  }, [path]);

  const mine = state.path === path;
  const data = mine ? state.data : undefined;
  const every = typeof pace === "function" ? pace(data) : pace;

  useEffect(() => {
    let timer = 0;
    let ended = false;
    etag.current = null;
    const again = async () => {
      await visible();
      if (ended) return;
      await reload();
      if (!ended && every > 0) timer = window.setTimeout(again, every);
    };
    void again();
    return () => {
      ended = true;
      window.clearTimeout(timer);
    };
  }, [reload, every]);

  const put = useCallback((known: T) => setState({ path, data: known }), [path]);
  return { data, error: mine ? state.error : undefined, reload, put };
}

/** A call that a button makes: whether it is under way, and what went wrong the last time. */
export function useAction<A extends unknown[]>(act: (...args: A) => Promise<void>) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const run = async (...args: A) => {
    setBusy(true);
    setError(null);
    try {
      await act(...args);
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure.message);
    } finally {
      setBusy(false);
    }
  };
  return { run, busy, error };
}

/** The present moment, told anew each `every` ms. */
export function useNow(now: () => number, every = 1000): number {
  const [value, setValue] = useState(now);
  useEffect(() => {
    const timer = window.setInterval(() => setValue(now()), every);
    return () => window.clearInterval(timer);
  }, [now, every]);
  return value;
}
