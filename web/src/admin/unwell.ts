// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, get } from "../api";
import { isUnwell } from "../health";
import type { AdminInstance, WholeInstance } from "../types";

const PAUSE_MS = 15000;
/* Each is a call to its node. */
const ASKED_MAX = 40;

function newestOfEach(live: AdminInstance[]): AdminInstance[] {
  const newest = new Map<string, AdminInstance>();
  for (const instance of live) {
    const known = newest.get(instance.challenge_id);
    if (instance.status === "running" && (!known || known.created_at < instance.created_at))
      newest.set(instance.challenge_id, instance);
  }
  return [...newest.values()].slice(0, ASKED_MAX);
}

async function findUnwell(live: AdminInstance[]): Promise<WholeInstance[]> {
  const found: WholeInstance[] = [];
  for (const { id } of newestOfEach(live)) {
    try {
      const instance = await get<WholeInstance>(`/admin/instances/${encodeURIComponent(id)}?check=true`);
      if (isUnwell(instance)) found.push(instance);
    } catch (error) {
      // Its node doesn't answer, which is told of the node.
      if (!(error instanceof ApiError)) throw error;
    }
  }
  return found;
}

/** Of each challenge the newest instance is asked how it is, one after the other: those that are unwell. */
export function useUnwell(live: AdminInstance[] | undefined): WholeInstance[] {
  const [unwell, setUnwell] = useState<WholeInstance[]>([]);
  const latest = useRef(live);
  latest.current = live;
  const known = live !== undefined;
  useEffect(() => {
    let timer = 0;
    let ended = false;
    const ask = async () => {
      const found = document.hidden ? null : await findUnwell(latest.current ?? []);
      if (ended) return;
      if (found) setUnwell(found);
      timer = window.setTimeout(ask, PAUSE_MS);
    };
    if (known) void ask();
    return () => {
      ended = true;
      window.clearTimeout(timer);
    };
  }, [known]);
  return unwell;
}
