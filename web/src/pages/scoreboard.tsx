import { me, serverNow } from "../api";
import { useEvent } from "../events";
import { formatAgo, plural } from "../format";
import { lazy } from "../lazy";
import { useGet, useNow } from "../resource";
import type { Params } from "../router";
import { useStore } from "../store";
import type { Scoreboard, ScoreHistory, Standing } from "../types";
import { Badge, Card, Empty, Loaded, Page, Table, TeamLink, type Column } from "../ui";

/* Changes are told as they come; this is for who isn't reached by them. */
const REFRESH_MS = 30000;

const ScoreChart = lazy<{ history: ScoreHistory }>(async () => (await import("../score-chart")).ScoreChart);

const COLUMNS: (now: number) => Column<Standing>[] = (now) => [
  { name: "Rank", kind: "rank-column", cell: (row) => <span class={`rank rank-${row.rank}`}>{row.rank}</span> },
  { name: "Team", kind: "wide", cell: (row) => <TeamLink id={row.team_id} name={row.team} /> },
  {
    name: "Division",
    cell: (row) => (row.division ? `${row.division}, rank ${row.division_rank}` : "–"),
  },
  { name: "Solved", kind: "number", cell: (row) => row.solved },
  { name: "Last solve", kind: "time", cell: (row) => formatAgo(row.last_solve_at, now) },
  { name: "Score", kind: "number", cell: (row) => <strong>{row.score}</strong> },
];

function Chart() {
  const history = useGet<ScoreHistory>("/scoreboard/history", REFRESH_MS);
  useEvent("scoreboard", history.reload);
  const moved = history.data?.teams.some((team) => team.points.length > 0);
  if (!history.data || !moved) return null;
  return (
    <Card title="The leaders' way up" class="chart-card">
      <ScoreChart history={history.data} />
    </Card>
  );
}

export function ScoreboardPage(_: { params: Params }) {
  const board = useGet<Scoreboard>("/scoreboard", REFRESH_MS);
  useEvent("scoreboard", board.reload);
  useEvent("hello", board.reload);
  const who = useStore(me);
  const now = useNow(serverNow, 5000);
  const divided = board.data?.teams.some((team) => team.division) ?? false;
  const lead = board.data ? `${board.data.competition} · ${plural(board.data.teams.length, "team")}` : " ";
  return (
    <Page
      title="Scoreboard"
      lead={lead}
      actions={board.data?.frozen && <Badge tone="accent">Frozen: the end is not shown yet</Badge>}
    >
      <Loaded from={board} lines={8}>
        {(data) => (
          <div class="stack">
            <Chart />
            <Table
              label="Scoreboard"
              compact
              rows={data.teams}
              columns={COLUMNS(now).filter((column) => divided || column.name !== "Division")}
              rowKey={(row) => row.team_id}
              rowClass={(row) => (row.team_id === who?.team?.id ? "own" : "")}
              empty={<Empty title="No team is on the board yet." />}
            />
          </div>
        )}
      </Loaded>
    </Page>
  );
}
