// SPDX-License-Identifier: Apache-2.0
// How an instance's services are, where its node was asked.

import { serverNow } from "./api";
import type { Instance, Service } from "./types";

/* So long a server without a health check may take until it accepts connections. */
const GRACE_MS = 30000;

const isChecked = ({ health }: Service) => !!health && health !== "none";

/** As its node sees it: it does what it should, or has done it, and there is nothing to tell of it. */
export function isWell(service: Service): boolean {
  if (service.detail) return false;
  if (service.state !== "running") return service.state === "exited" && service.exit_code === 0;
  return !isChecked(service) || service.health === "healthy";
}

/** Its services are well, or on their way: none has failed its checks yet. */
export function isGettingReady({ is_healthy, services, started_at }: Instance): boolean {
  if (is_healthy !== false || !services) return false;
  const isFresh = started_at !== null && serverNow() - Date.parse(started_at) < GRACE_MS;
  return services.every(
    (service) =>
      isWell(service) ||
      service.health === "starting" ||
      (isFresh && service.state === "running" && !isChecked(service)),
  );
}

export const isUnwell = (instance: Instance) => instance.is_healthy === false && !isGettingReady(instance);

/** Its health or state, and what is worse than that. */
export function describeService(service: Service): string {
  const exit = service.state === "exited" ? ` with status ${service.exit_code}` : "";
  return `${isChecked(service) ? service.health : service.state}${exit}${service.oom_killed ? ", out of memory" : ""}`;
}
