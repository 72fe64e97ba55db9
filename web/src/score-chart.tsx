// SPDX-License-Identifier: Apache-2.0
// How the leaders' scores grew.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { ScoreHistory } from "./types";
import { TeamLink } from "./ui";

const HEIGHT = 260;
const LEAST_MARGIN_S = 60; /* before the first point */
const COLOURS = [
  "#5b5bf0", "#d9482b", "#1b9e6e", "#c07a00", "#a347ba", "#1287a8", "#d6336c", "#6b8e23", "#8a6d5a", "#7a8699",
];

const colour = (i: number) => COLOURS[i % COLOURS.length]!;

/** One column of times, and one of scores for each team: the last one it had by then. */
function toColumns({ teams }: ScoreHistory): uPlot.AlignedData {
  const seconds = (iso: string) => Date.parse(iso) / 1000;
  const times = [...new Set(teams.flatMap((team) => team.points.map((point) => seconds(point.at))))].sort(
    (a, b) => a - b,
  );
  const end = Math.max(times.at(-1)!, Date.now() / 1000);
  const axis = [times[0]! - Math.max(LEAST_MARGIN_S, (end - times[0]!) / 20), ...times, end];
  const scores = teams.map((team) => {
    let at = 0;
    return axis.map((time) => {
      while (at < team.points.length && seconds(team.points[at]!.at) <= time) at++;
      return at > 0 ? team.points[at - 1]!.score : 0;
    });
  });
  return [axis, ...scores];
}

function options(history: ScoreHistory, width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const axis = {
    stroke: style.getPropertyValue("--muted"),
    grid: { stroke: style.getPropertyValue("--line"), width: 1 },
    ticks: { show: false },
    font: `12px ${getComputedStyle(document.body).fontFamily}`,
  };
  const steps = uPlot.paths.stepped!({ align: 1 });
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    axes: [axis, { ...axis, size: 56 }],
    series: [
      {},
      ...history.teams.map((team, i) => ({
        label: team.team,
        stroke: colour(i),
        width: 2,
        paths: steps,
        points: { show: false },
      })),
    ],
  };
}

/** What it shows is in the page's table, too. */
export function ScoreChart({ history }: { history: ScoreHistory }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current!;
    const chart = new uPlot(options(history, element.clientWidth), toColumns(history), element);
    const watcher = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT }));
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      chart.destroy();
    };
  }, [history]);
  return (
    <figure>
      <div class="chart" ref={place} aria-hidden="true" />
      {history.teams.length > 1 && (
        <figcaption class="legend">
          {history.teams.map((team, i) => (
            <span key={team.team_id}>
              <span class="swatch" style={{ background: colour(i) }} aria-hidden="true" />
              <TeamLink id={team.team_id} name={team.team} />
            </span>
          ))}
        </figcaption>
      )}
    </figure>
  );
}
