// SPDX-License-Identifier: Apache-2.0
import { me, serverNow } from "../api";
import { useEvent } from "../events";
import { formatAgo, formatDate } from "../format";
import { lazy } from "../lazy";
import { useGet, useNow } from "../resource";
import type { Params } from "../router";
import { useStore } from "../store";
import type { ScoreHistory, Solve, TeamRecord } from "../types";
import { Badge, Card, Empty, Loaded, Page, Table, Tile, type Column } from "../ui";

/* Changes are told as they come; this is for who isn't reached by them. */
const REFRESH_MS = 30000;

const ScoreChart = lazy<{ history: ScoreHistory }>(async () => (await import("../score-chart")).ScoreChart);

export function Figures({ team, now }: { team: TeamRecord; now: number }) {
  return (
    <dl class="tiles">
      <Tile name="Rank" value={team.rank} />
      {team.division && <Tile name={`Rank in ${team.division}`} value={team.division_rank ?? "–"} />}
      <Tile name="Score" value={team.score} />
      <Tile name="Solved" value={team.solved} />
      <Tile name="Last solve" value={formatAgo(team.last_solve_at, now)} />
    </dl>
  );
}

/** A challenge's name; a link for those who may see the challenge. */
function ChallengeName({ solve, linked }: { solve: Solve; linked: boolean }) {
  if (!linked) return <>{solve.challenge}</>;
  return <a href={`/challenges/${encodeURIComponent(solve.challenge_id)}`}>{solve.challenge}</a>;
}

const COLUMNS: (now: number, linked: boolean) => Column<Solve>[] = (now, linked) => [
  {
    name: "Challenge",
    kind: "wide",
    cell: (row) => (
      <span class="inline">
        <ChallengeName solve={row} linked={linked} />
        {row.first_blood && <Badge tone="accent">First blood</Badge>}
      </span>
    ),
  },
  { name: "Category", cell: (row) => row.category || "misc" },
  {
    name: "When",
    kind: "time",
    cell: (row) => <time title={formatDate(row.solved_at)}>{formatAgo(row.solved_at, now)}</time>,
  },
  { name: "Points", kind: "number", cell: (row) => <strong>{row.value}</strong> },
];

function Members({ members }: { members: TeamRecord["members"] }) {
  return (
    <Card title="Members">
      {members.length === 0 && <p class="muted">Everybody has left it.</p>}
      <ul class="members">
        {members.map((member, i) => (
          <li key={i}>
            <span class="avatar" aria-hidden="true">
              {[...member.name][0]?.toUpperCase()}
            </span>
            <span class="member-name">{member.name}</span>
            {member.captain && <Badge tone="accent">Captain</Badge>}
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Content({ team }: { team: TeamRecord }) {
  const who = useStore(me);
  const now = useNow(serverNow, 5000);
  return (
    <>
      <Figures team={team} now={now} />
      <div class="two-columns">
        <div class="column">
          {team.points.length > 0 && (
            <Card title="Its way up" class="chart-card">
              <ScoreChart history={{ teams: [team] }} />
            </Card>
          )}
          <Card title="Solves">
            <Table
              label="Solves"
              rows={team.solves.slice().reverse()}
              columns={COLUMNS(now, who !== null)}
              rowKey={(row) => `${row.challenge_id} ${row.question_id}`}
              empty={<Empty title="Nothing is solved yet." />}
            />
          </Card>
        </div>
        <div class="column side">
          <Members members={team.members} />
        </div>
      </div>
    </>
  );
}

/** A team as the scoreboard shows it, to everybody whom that is shown. */
export function TeamRecordPage({ params }: { params: Params }) {
  const record = useGet<TeamRecord>(`/teams/${encodeURIComponent(params["id"]!)}`, REFRESH_MS);
  useEvent("scoreboard", record.reload);
  const team = record.data;
  const who = useStore(me);
  return (
    <>
      <nav class="crumbs" aria-label="Breadcrumb">
        <a href="/scoreboard">Scoreboard</a>
      </nav>
      <Page
        title={team?.team ?? "Team"}
        lead={team?.competition ?? " "}
        actions={
          team && (
            <>
              {team.team_id === who?.team?.id && <Badge tone="accent">Yours</Badge>}
              {team.frozen && <Badge tone="accent">Frozen: the end is not shown yet</Badge>}
            </>
          )
        }
      >
        {record.error?.status === 404 ? (
          <Empty title="There is no such team on the scoreboard." />
        ) : (
          <Loaded from={record} lines={8}>
            {(data) => <Content team={data} />}
          </Loaded>
        )}
      </Page>
    </>
  );
}
