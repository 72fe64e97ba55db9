import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Skeleton } from "./ui";

/** A component whose code is asked for when it is first shown. */
export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let Loaded: ComponentType<P> | null = null;
  return function Lazy(props: P) {
    const [, draw] = useState({});
    useEffect(() => {
      if (Loaded) return;
      void load().then((component) => {
        Loaded = component;
        draw({});
      });
    }, []);
    return Loaded ? <Loaded {...props} /> : <Skeleton lines={5} />;
  };
}
