import { serverNow } from "../api";
import { formatAgo, formatSeconds } from "../format";
import { useGet, useNow } from "../resource";
import type { Params } from "../router";
import type { AdminInstance, AdminSubmission, Node, Review } from "../types";
import { Alert, Badge, Card, Empty, Loaded, Page, Table, Tile, type Column } from "../ui";
import { NODE_TONE, NodeLoad } from "./nodes";
import { VERDICT_TONE } from "./submissions";

const REFRESH_MS = 3000;
const LATELY_MS = 15 * 60 * 1000;

const isLately = (iso: string | null, now: number) => iso !== null && now - Date.parse(iso) < LATELY_MS;

function medianStart(instances: AdminInstance[]): string {
  const times = instances
    .filter((instance) => instance.started_at)
    .map((instance) => Date.parse(instance.started_at!) - Date.parse(instance.created_at))
    .sort((a, b) => a - b);
  return times.length > 0 ? formatSeconds(times[Math.floor(times.length / 2)]!) : "–";
}

interface Known {
  nodes: Node[];
  live: AdminInstance[];
  last: AdminInstance[];
  submissions: AdminSubmission[];
  reviews: Review[];
}

function Tiles({ live, last, nodes, now }: Known & { now: number }) {
  const count = (status: string) => live.filter((instance) => instance.status === status).length;
  const failed = last.filter((row) => row.status === "failed" && isLately(row.ended_at, now)).length;
  const running = nodes.reduce((sum, node) => sum + node.running, 0);
  const capacity = nodes.reduce((sum, node) => sum + node.capacity, 0);
  return (
    <dl class="tiles">
      <Tile name="Running" value={count("running")} />
      <Tile name="Starting" value={count("starting")} />
      <Tile name="Stopping" value={count("stopping")} />
      <Tile name="Failed in 15 min" value={failed} bad={failed > 0} />
      <Tile name="Median start" value={medianStart(last)} />
      <Tile name="Room in use" value={capacity ? `${Math.round((100 * running) / capacity)} %` : "–"} />
    </dl>
  );
}

/** What somebody should look at. */
function Alerts({ nodes, last, reviews, now }: Known & { now: number }) {
  const unwell = nodes.filter((node) => node.state !== "healthy");
  const failed = last.filter((row) => row.status === "failed" && isLately(row.ended_at, now)).slice(0, 3);
  if (nodes.length > 0 && unwell.length + failed.length + reviews.length === 0) return null;
  return (
    <div class="alerts">
      {nodes.length === 0 && <Alert tone="warn">No node is registered: nothing can be started.</Alert>}
      {unwell.map((node) => (
        <Alert key={node.id} tone="bad">
          <a href="/admin/nodes">Node {node.name}</a> is {node.state}
          {node.detail && `: ${node.detail}`}
        </Alert>
      ))}
      {failed.map((row) => (
        <Alert key={row.id} tone="warn">
          <a href={`/admin/instances/${row.id}`}>
            {row.challenge_id} of {row.team}
          </a>{" "}
          failed: {row.cause ?? row.detail}
        </Alert>
      ))}
      {reviews.map((review) => (
        <Alert key={review.submission_id} tone="warn">
          {review.by.team} handed in an answer of {review.of.team} for {review.challenge_id}:{" "}
          <a href="/admin/reviews">review it</a>
        </Alert>
      ))}
    </div>
  );
}

const SUBMISSIONS: (now: number) => Column<AdminSubmission>[] = (now) => [
  { name: "Team", kind: "wide", cell: (row) => row.team },
  { name: "Challenge", kind: "short", cell: (row) => row.challenge_id },
  { name: "Verdict", cell: (row) => <Badge tone={VERDICT_TONE[row.verdict] ?? "plain"}>{row.verdict}</Badge> },
  { name: "When", kind: "time", cell: (row) => formatAgo(row.submitted_at, now) },
];

function Glance(props: Known) {
  const now = useNow(serverNow, 5000);
  return (
    <>
      <Alerts {...props} now={now} />
      <Tiles {...props} now={now} />
      <div class="halves loose">
        <Card title="Nodes" aside={<a href="/admin/nodes">All of it</a>}>
          {props.nodes.map((node) => (
            <NodeLoad key={node.id} node={node} tone={NODE_TONE[node.state]} />
          ))}
        </Card>
        <Card title="Submissions" aside={<a href="/admin/submissions">All of them</a>}>
          <Table
            label="Last submissions"
            rows={props.submissions.slice(0, 10)}
            columns={SUBMISSIONS(now)}
            rowKey={(row) => row.id}
            empty={<Empty title="Nothing was handed in yet." />}
          />
        </Card>
      </div>
    </>
  );
}

export function OverviewPage(_: { params: Params }) {
  const nodes = useGet<{ nodes: Node[] }>("/admin/nodes", REFRESH_MS);
  const live = useGet<{ instances: AdminInstance[] }>("/admin/instances", REFRESH_MS);
  const last = useGet<{ instances: AdminInstance[] }>("/admin/instances?all=true&limit=200", REFRESH_MS);
  const submissions = useGet<{ submissions: AdminSubmission[] }>("/admin/submissions?limit=100", REFRESH_MS);
  const reviews = useGet<{ reviews: Review[] }>("/admin/reviews?state=open&limit=5", REFRESH_MS);
  const all = [nodes, live, last, submissions, reviews];
  const known = all.every((resource) => resource.data !== undefined);
  const data: Known | undefined = !known ? undefined : {
    nodes: nodes.data!.nodes,
    live: live.data!.instances,
    last: last.data!.instances,
    submissions: submissions.data!.submissions,
    reviews: reviews.data!.reviews,
  };
  return (
    <Page title="At a glance">
      <Loaded from={{ data, error: all.find(({ error }) => error)?.error }} lines={8}>
        {(data) => <Glance {...data} />}
      </Loaded>
    </Page>
  );
}
