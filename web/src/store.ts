// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "preact/hooks";

/** A value that components follow: whoever uses it is drawn again when it is set. */
export interface Store<T> {
  get(): T;
  set(value: T): void;
  follow(told: () => void): () => void;
}

export function createStore<T>(initial: T): Store<T> {
  const followers = new Set<() => void>();
  let value = initial;
  return {
    get: () => value,
    set(next) {
      value = next;
      for (const told of followers) told();
    },
    follow(told) {
      followers.add(told);
      return () => followers.delete(told);
    },
  };
}

export function useStore<T>(store: Store<T>): T {
  const [, draw] = useState({});
  useEffect(() => store.follow(() => draw({})), [store]);
  return store.get();
}
