// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { me, serverNow } from "../api";
import { CompetitionClock, useCompetition } from "../competition";
import { useEvent } from "../events";
import { formatAgo, plural } from "../format";
import { lazy } from "../lazy";
import { useGet, useNow } from "../resource";
import type { Params } from "../router";
import { hasWords, SearchBox } from "../search";
import { useStore } from "../store";
import type { Division, Scoreboard, ScoreHistory, Standing } from "../types";
import { Badge, Card, Empty, Loaded, Page, Table, TeamLink, type Column } from "../ui";

/* Changes are told as they come; this is for who isn't reached by them. */
const REFRESH_MS = 30000;

const ScoreChart = lazy<{ history: ScoreHistory }>(async () => (await import("../score-chart")).ScoreChart);

const COLUMNS: (now: number) => Column<Standing>[] = (now) => [
  { name: "Rank", kind: "rank-column", cell: (row) => <span class={`rank rank-${row.rank}`}>{row.rank}</span> },
  { name: "Team", kind: "wide", cell: (row) => <TeamLink id={row.team_id} name={row.team} /> },
  {
    name: "Division",
    kind: "roomy",
    cell: (row) => (row.division ? `${row.division}, rank ${row.division_rank}` : "–"),
  },
  { name: "Solved", kind: "number", cell: (row) => row.solved },
  { name: "Last solve", kind: "roomy", cell: (row) => formatAgo(row.last_solve_at, now) },
  { name: "Score", kind: "number", cell: (row) => <strong>{row.score}</strong> },
];

function Chart({ query }: { query: string }) {
  const history = useGet<ScoreHistory>(`/scoreboard/history${query}`, REFRESH_MS);
  useEvent("scoreboard", history.reload);
  const moved = history.data?.teams.some((team) => team.points.length > 0);
  return (
    <Card title="The leaders' way up" class="chart-card">
      {moved && <ScoreChart history={history.data!} />}
    </Card>
  );
}

/* A board that fits on a screen needs no search. */
const SEARCHED_FROM = 15;

interface Choice {
  words: string;
  division: string;
}

function Filters(props: { divisions: Division[]; large: boolean; choice: Choice; onChoice: (to: Choice) => void }) {
  const { divisions, large, choice, onChoice } = props;
  if (!large && divisions.length < 2) return null;
  return (
    <div class="filters" role="search">
      {large && (
        <SearchBox
          label="Search teams"
          placeholder="Search for a team"
          words={choice.words}
          onWords={(words) => onChoice({ ...choice, words })}
        />
      )}
      {divisions.length > 1 && (
        <div class="chips" role="group" aria-label="Division">
          {[{ id: "", name: "All" }, ...divisions].map(({ id, name }) => (
            <button
              type="button"
              key={id}
              class="chip"
              aria-pressed={choice.division === id}
              onClick={() => onChoice({ ...choice, division: id })}
            >
              {name}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

export function ScoreboardPage(_: { params: Params }) {
  const [choice, setChoice] = useState<Choice>({ words: "", division: "" });
  const query = choice.division && `?division=${encodeURIComponent(choice.division)}`;
  const board = useGet<Scoreboard>(`/scoreboard${query}`, REFRESH_MS);
  const competition = useCompetition();
  useEvent("scoreboard", board.reload);
  useEvent("hello", board.reload);
  const who = useStore(me);
  const now = useNow(serverNow, 5000);
  const divisions = competition?.divisions ?? [];
  const divided = !choice.division && divisions.length > 1;
  const teams = board.data?.teams ?? [];
  const lead = (
    <span class="lead-facts">
      {board.data && <span>{board.data.competition}</span>}
      {board.data && <span>{plural(teams.length, "team")}</span>}
      <CompetitionClock competition={competition} />
    </span>
  );
  return (
    <Page
      title="Scoreboard"
      lead={lead}
      actions={board.data?.frozen && <Badge tone="accent">Frozen: the end is not shown yet</Badge>}
    >
      <Filters divisions={divisions} large={teams.length >= SEARCHED_FROM} choice={choice} onChoice={setChoice} />
      <Loaded from={board} lines={8}>
        {(data) => (
          <div class="stack">
            {data.teams.some((team) => team.solved > 0) && <Chart query={query} />}
            <Table
              label="Scoreboard"
              compact
              rows={data.teams.filter((row) => hasWords([row.team], choice.words))}
              columns={COLUMNS(now).filter((column) => divided || column.name !== "Division")}
              rowKey={(row) => row.team_id}
              rowClass={(row) => (row.team_id === who?.team?.id ? "own" : "")}
              empty={<Empty title={choice.words ? "No team is called that." : "No team is on the board yet."} />}
            />
          </div>
        )}
      </Loaded>
    </Page>
  );
}
