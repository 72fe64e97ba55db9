// SPDX-License-Identifier: Apache-2.0
// What the platform tells of its own accord: GET /events.

import { useEffect } from "preact/hooks";
import { me } from "./api";

export type Event = "hello" | "scoreboard" | "notice" | "instance";

type Listener = (data: unknown) => void;

const NAMES: Event[] = ["hello", "scoreboard", "notice", "instance"];
const listeners = new Map<Event, Set<Listener>>(NAMES.map((name) => [name, new Set()]));

const REFUSED_PAUSE_MS = 5000;

let source: EventSource | null = null;

/** The browser connects again by itself; "hello" then says that something may have been missed. */
function open() {
  source?.close();
  source = new EventSource("/api/v1/events");
  source.onerror = ({ target }) => {
    // The browser gives up where it was refused: there may be no competition yet.
    if (target === source && source?.readyState === EventSource.CLOSED) window.setTimeout(open, REFUSED_PAUSE_MS);
  };
  for (const name of NAMES)
    source.addEventListener(name, (event) => {
      const data: unknown = JSON.parse((event as MessageEvent<string>).data);
      for (const listener of listeners.get(name)!) listener(data);
    });
}

/** From now on, as whoever is logged in: another one is told other things. */
export function listen() {
  let who: string | undefined;
  const follow = () => {
    const now = me.get();
    const identity = `${now?.id} of ${now?.team?.id}`;
    if (now === undefined || identity === who) return;
    who = identity;
    open();
  };
  me.follow(follow);
  follow();
}

export function useEvent(name: Event, listener: Listener) {
  useEffect(() => {
    const known = listeners.get(name)!;
    known.add(listener);
    return () => void known.delete(listener);
  }, [name, listener]);
}
