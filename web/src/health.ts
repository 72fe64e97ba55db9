// How an instance's services are, where its node was asked.

import type { Instance, Service } from "./types";

export const isWell = ({ state, health }: Service) =>
  state === "running" && (!health || health === "none" || health === "healthy");

/** Its services are on their way: none has failed its checks yet. */
export const isGettingReady = ({ is_healthy, services }: Instance) =>
  is_healthy === false && !!services?.every((service) => isWell(service) || service.health === "starting");

export const isUnwell = (instance: Instance) => instance.is_healthy === false && !isGettingReady(instance);

/** Its health or state, and what is worse than that. */
export function describeService(service: Service): string {
  const health = service.health === "none" ? null : service.health;
  const exit = service.state === "exited" ? ` with status ${service.exit_code}` : "";
  return `${health ?? service.state}${exit}${service.oom_killed ? ", out of memory" : ""}`;
}
