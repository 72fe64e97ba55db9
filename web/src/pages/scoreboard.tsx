import { me, serverNow } from "../api";
import { formatAgo, plural } from "../format";
import { useGet, useNow } from "../resource";
import type { Params } from "../router";
import { useStore } from "../store";
import type { Scoreboard, Standing } from "../types";
import { Badge, Empty, Loaded, Page, Table, type Column } from "../ui";

const REFRESH_MS = 2000;

const COLUMNS: (now: number) => Column<Standing>[] = (now) => [
  { name: "Rank", kind: "rank-column", cell: (row) => <span class={`rank rank-${row.rank}`}>{row.rank}</span> },
  { name: "Team", kind: "wide", cell: (row) => <span class="team-name">{row.team}</span> },
  { name: "Solved", kind: "number", cell: (row) => row.solved },
  { name: "Last solve", kind: "time", cell: (row) => formatAgo(row.last_solve_at, now) },
  { name: "Score", kind: "number", cell: (row) => <strong>{row.score}</strong> },
];

export function ScoreboardPage(_: { params: Params }) {
  const board = useGet<Scoreboard>("/scoreboard", REFRESH_MS);
  const who = useStore(me);
  const now = useNow(serverNow, 5000);
  const lead = board.data ? `${board.data.competition} · ${plural(board.data.teams.length, "team")}` : " ";
  return (
    <Page
      title="Scoreboard"
      lead={lead}
      actions={board.data?.frozen && <Badge tone="accent">Frozen: the end is not shown yet</Badge>}
    >
      <Loaded from={board} lines={8}>
        {(data) => (
          <Table
            label="Scoreboard"
            rows={data.teams}
            columns={COLUMNS(now)}
            rowKey={(row) => row.team_id}
            rowClass={(row) => (row.team_id === who?.team?.id ? "own" : "")}
            empty={<Empty title="No team is on the board yet." />}
          />
        )}
      </Loaded>
    </Page>
  );
}
