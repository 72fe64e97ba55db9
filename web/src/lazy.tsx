// SPDX-License-Identifier: Apache-2.0
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Failure, Skeleton } from "./ui";

const LOAD_AGAIN_MS = [200, 1000];

async function loadAgain<T>(load: () => Promise<T>, pauses: number[]): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const [pause, ...later] = pauses;
    if (pause === undefined) throw error;
    await new Promise((resolve) => setTimeout(resolve, pause));
    return loadAgain(load, later);
  }
}

/** A component whose code is asked for when it is first shown. */
export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let Loaded: ComponentType<P> | null = null;
  return function Lazy(props: P) {
    const [failed, setFailed] = useState(false);
    const [, draw] = useState({});
    useEffect(() => {
      if (Loaded) return;
      loadAgain(load, LOAD_AGAIN_MS).then(
        (component) => {
          Loaded = component;
          draw({});
        },
        () => setFailed(true),
      );
    }, []);
    if (failed) return <Failure error="A part of this page could not be loaded. Load the page again." />;
    return Loaded ? <Loaded {...props} /> : <Skeleton lines={5} />;
  };
}
