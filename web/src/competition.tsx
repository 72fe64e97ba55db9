// SPDX-License-Identifier: Apache-2.0
// The competition that is meant where none is named, and how much of it is left.

import { serverNow } from "./api";
import { formatCountdown, formatDate } from "./format";
import { useGet, useNow } from "./resource";
import type { Competition } from "./types";

const REFRESH_MS = 60000;

/* What is further away is told as a date. */
const COUNTED_MS = 48 * 60 * 60 * 1000;

const startOf = ({ starts_at }: Competition) => (starts_at ? Date.parse(starts_at) : -Infinity);
const endOf = ({ ends_at }: Competition) => (ends_at ? Date.parse(ends_at) : Infinity);

/** As the platform chooses it: see docs/platform-api.md. */
export function presentCompetition(all: Competition[], now: number): Competition | undefined {
  return (
    all.find((c) => startOf(c) <= now && now < endOf(c)) ??
    all.filter((c) => startOf(c) > now).sort((a, b) => startOf(a) - startOf(b))[0] ??
    [...all].sort((a, b) => endOf(b) - endOf(a))[0]
  );
}

export function useCompetition(): Competition | undefined {
  const list = useGet<{ competitions: Competition[] }>("/competitions", REFRESH_MS);
  return presentCompetition(list.data?.competitions ?? [], serverNow());
}

function describeInstant(at: number, now: number): string {
  return at - now < COUNTED_MS ? `in ${formatCountdown(at - now)}` : `on ${formatDate(new Date(at).toISOString())}`;
}

/** "ends in 2:41:07"; nothing where it has no times. */
export function CompetitionClock({ competition }: { competition: Competition | undefined }) {
  const now = useNow(serverNow);
  if (!competition) return null;
  const [start, end] = [startOf(competition), endOf(competition)];
  if (now < start) return <span class="clock-inline">begins {describeInstant(start, now)}</span>;
  if (now >= end) return <span>has ended</span>;
  return end === Infinity ? null : <span class="clock-inline">ends {describeInstant(end, now)}</span>;
}
