// SPDX-License-Identifier: Apache-2.0
import { serverNow } from "../api";
import { formatAgo, formatSeconds, plural } from "../format";
import { describeService, isWell } from "../health";
import { useGet, useNow } from "../resource";
import type { Params } from "../router";
import type { AdminInstance, AdminSubmission, ImageRow, Node, NodeImages, Review, WholeInstance } from "../types";
import { Alert, Badge, Card, Empty, Loaded, Page, Reason, Table, TeamLink, Tile, type Column } from "../ui";
import { countReady } from "./images";
import { NODE_TONE, NodeLoad } from "./nodes";
import { VERDICT_TONE } from "./submissions";
import { useUnwell } from "./unwell";

const REFRESH_MS = 3000;
const IMAGES_REFRESH_MS = 10000;
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
  warning?: string | null;
  live: AdminInstance[];
  last: AdminInstance[];
  submissions: AdminSubmission[];
  reviews: Review[];
  held: AdminSubmission[];
  images: NodeImages[];
}

/** Those that wait for a node with room have none yet. */
const isWaiting = (instance: AdminInstance) => instance.status === "starting" && !instance.node_id;

function Tiles({ live, last, nodes, now }: Known & { now: number }) {
  const count = (status: string) =>
    live.filter((instance) => instance.status === status && !isWaiting(instance)).length;
  const waiting = live.filter(isWaiting).length;
  const failed = last.filter((row) => row.status === "failed" && isLately(row.ended_at, now)).length;
  const running = nodes.reduce((sum, node) => sum + node.running, 0);
  const capacity = nodes.reduce((sum, node) => sum + node.capacity, 0);
  return (
    <dl class="tiles">
      <Tile name="Running" value={count("running")} />
      <Tile name="Starting" value={count("starting")} />
      <Tile name="Wait for room" value={waiting} bad={waiting > 0} />
      <Tile name="Stopping" value={count("stopping")} />
      <Tile name="Failed lately" value={failed} bad={failed > 0} />
      <Tile name="Median start" value={medianStart(last)} />
      <Tile name="Room in use" value={capacity ? `${Math.round((100 * running) / capacity)} %` : "–"} />
    </dl>
  );
}

/** A challenge whose starts fail: how many of the late ones did, and the last that did. */
interface Trouble {
  failed: AdminInstance;
  failures: number;
  starts: number;
}

function findTrouble(last: AdminInstance[], now: number): Trouble[] {
  const troubles = new Map<string, Trouble>();
  const late = last.filter((row) => isLately(row.ended_at ?? row.created_at, now));
  for (const row of late.filter(({ status }) => status === "failed")) {
    const known = troubles.get(row.challenge_id);
    if (known) known.failures++;
    else
      troubles.set(row.challenge_id, {
        failed: row,
        failures: 1,
        starts: late.filter(({ challenge_id }) => challenge_id === row.challenge_id).length,
      });
  }
  return [...troubles.values()].sort((a, b) => b.failures - a.failures);
}

const TROUBLES_SHOWN = 5;

const describeUnwell = ({ services }: WholeInstance) =>
  (services ?? [])
    .filter((service) => !isWell(service))
    .map((service) => `${service.service} is ${describeService(service)}${service.detail ? `: ${service.detail}` : ""}`)
    .join("\n");

/** Images that could not be built or pulled. */
const findImageFaults = (images: NodeImages[]): (ImageRow & { node: string })[] =>
  images.flatMap(({ node, images }) =>
    [...(images?.builds ?? []), ...(images?.pulls ?? [])]
      .filter(({ error }) => error)
      .map((row) => ({ ...row, node })),
  );

/** What somebody should look at. Some of it is learnt late: what moves then is little. */
function Alerts({ nodes, warning, live, last, reviews, held, images, now }: Known & { now: number }) {
  const unhealthy = useUnwell(live).slice(0, TROUBLES_SHOWN);
  const unwell = nodes.filter((node) => node.state !== "healthy");
  const troubles = findTrouble(last, now).slice(0, TROUBLES_SHOWN);
  const faults = findImageFaults(images).slice(0, TROUBLES_SHOWN);
  const warned = nodes.filter((node) => node.warning);
  const found = [unwell, warned, warning ? [warning] : [], unhealthy, troubles, faults, reviews, held];
  if (nodes.length > 0 && found.every((list) => list.length === 0))
    return <p class="muted">Nothing needs looking at.</p>;
  return (
    <div class="alerts">
      {nodes.length === 0 && <Alert tone="warn">No node is registered: nothing can be started.</Alert>}
      {warning && <Alert tone="bad">The platform: {warning}</Alert>}
      {warned.map((node) => (
        <Alert key={`${node.id} warns`} tone="bad">
          <a href="/admin/nodes">Node {node.name}</a>: {node.warning}
        </Alert>
      ))}
      {unwell.map((node) => (
        <Alert key={node.id} tone="bad">
          <a href="/admin/nodes">Node {node.name}</a> is {node.state}
          {node.detail && `: ${node.detail}`}
        </Alert>
      ))}
      {troubles.map(({ failed, failures, starts }) => (
        <Alert key={failed.challenge_id} tone="warn">
          {`Starts of ${failed.challenge_id} fail: ${failures} of ${starts} in 15 min. `}
          <a href={`/admin/instances/${failed.id}`}>The last one, for {failed.team}</a>
          {": "}
          <Reason text={failed.cause ?? failed.detail ?? "nobody said why"} />
        </Alert>
      ))}
      {unhealthy.map((instance) => (
        <Alert key={instance.id} tone="warn">
          <a href={`/admin/instances/${instance.id}`}>
            {instance.challenge_id} of {instance.team}
          </a>{" "}
          runs, and is not well: <Reason text={describeUnwell(instance)} />
        </Alert>
      ))}
      {faults.map((row, i) => (
        <Alert key={i} tone="warn">
          <a href="/admin/images">The images of {row.challenge_id}</a> are not ready on {row.node}:{" "}
          <Reason text={row.error!} />
        </Alert>
      ))}
      {reviews.map((review) => (
        <Alert key={review.submission_id} tone="warn">
          {review.by.team} handed in an answer of {review.of.team} for {review.challenge_id}:{" "}
          <a href="/admin/reviews">review it</a>
        </Alert>
      ))}
      {held.map((row) => (
        <Alert key={row.id} tone="warn">
          Nobody knows yet whether an answer of {row.team} for {row.challenge_id} is right:{" "}
          <a href="/admin/submissions">judge it</a>
        </Alert>
      ))}
    </div>
  );
}

const SUBMISSIONS: (now: number) => Column<AdminSubmission>[] = (now) => [
  { name: "Team", kind: "wide", cell: (row) => <TeamLink id={row.team_id} name={row.team} /> },
  { name: "Challenge", kind: "short", cell: (row) => row.challenge_id },
  { name: "Verdict", cell: (row) => <Badge tone={VERDICT_TONE[row.verdict] ?? "plain"}>{row.verdict}</Badge> },
  { name: "When", kind: "time", cell: (row) => formatAgo(row.submitted_at, now) },
];

function Warmth({ images }: { images: NodeImages | undefined }) {
  if (!images?.images) return null;
  const [ready, all] = countReady(images);
  return (
    <p class="muted small">
      Images of <a href="/admin/images">{`${ready} of ${plural(all, "challenge")}`}</a> were made ready
    </p>
  );
}

const NODES_SHOWN = 8;

const share = ({ running, capacity }: Node) => running / (capacity || 1);

/** Those that are not well first, then the fullest. */
const byUrgency = (a: Node, b: Node) =>
  Number(a.state === "healthy") - Number(b.state === "healthy") || share(b) - share(a);

function Nodes({ nodes, images }: Known) {
  const shown = [...nodes].sort(byUrgency).slice(0, NODES_SHOWN);
  return (
    <Card title="Nodes" aside={<a href="/admin/nodes">All of them</a>}>
      {shown.map((node) => (
        <div key={node.id} class="node-line">
          <NodeLoad node={node} tone={NODE_TONE[node.state]} />
          <Warmth images={images.find(({ node_id }) => node_id === node.id)} />
        </div>
      ))}
      {nodes.length > shown.length && (
        <p class="node-line muted small">{`and ${nodes.length - shown.length} more`}</p>
      )}
    </Card>
  );
}

function Glance(props: Known) {
  const now = useNow(serverNow, 5000);
  return (
    <>
      <Tiles {...props} now={now} />
      <div class="halves loose">
        <div class="stack">
          <Card title="Alerts">
            <Alerts {...props} now={now} />
          </Card>
          <Nodes {...props} />
        </div>
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
  const nodes = useGet<{ nodes: Node[]; warning?: string | null }>("/admin/nodes", REFRESH_MS);
  const live = useGet<{ instances: AdminInstance[] }>("/admin/instances", REFRESH_MS);
  const last = useGet<{ instances: AdminInstance[] }>("/admin/instances?all=true&limit=200", REFRESH_MS);
  const submissions = useGet<{ submissions: AdminSubmission[] }>("/admin/submissions?limit=100", REFRESH_MS);
  const reviews = useGet<{ reviews: Review[] }>("/admin/reviews?state=open&limit=5", REFRESH_MS);
  const images = useGet<{ nodes: NodeImages[] }>("/admin/challenges/images", IMAGES_REFRESH_MS);
  const held = useGet<{ submissions: AdminSubmission[] }>("/admin/submissions?verdict=held&limit=5", REFRESH_MS);
  const all = [nodes, live, last, submissions, reviews, held];
  const known = all.every((resource) => resource.data !== undefined);
  const data: Known | undefined = !known ? undefined : {
    nodes: nodes.data!.nodes,
    warning: nodes.data!.warning,
    live: live.data!.instances,
    last: last.data!.instances,
    submissions: submissions.data!.submissions,
    reviews: reviews.data!.reviews,
    held: held.data!.submissions,
    // Every node is asked for them: nothing else waits for that.
    images: images.data?.nodes ?? [],
  };
  return (
    <Page title="At a glance">
      <Loaded from={{ data, error: all.find(({ error }) => error)?.error }} lines={8}>
        {(data) => <Glance {...data} />}
      </Loaded>
    </Page>
  );
}
