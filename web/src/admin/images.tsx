// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { call } from "../api";
import { useAction, useGet } from "../resource";
import type { Params } from "../router";
import type { Competition, ImageRow, NodeImages } from "../types";
import { Alert, Badge, Button, Empty, Failure, Loaded, Page, Reason, Table, announce, type Column, type Tone } from "../ui";

const CHANGING_MS = 1000;
const SETTLED_MS = 10000;

const TONE: Record<string, Tone> = {
  built: "ok",
  pulled: "ok",
  building: "busy",
  pulling: "busy",
  unbuilt: "plain",
  unpulled: "plain",
};

interface Images {
  nodes: NodeImages[];
}

const isChanging = ({ status }: ImageRow) => status === "building" || status === "pulling";

/** How many of the challenges that need images on a node have them there. */
export function countReady({ images }: NodeImages): [ready: number, all: number] {
  const rows = [...(images?.builds ?? []), ...(images?.pulls ?? [])];
  const all = new Set(rows.map((row) => row.challenge_id));
  const waiting = new Set(rows.filter((row) => TONE[row.status] !== "ok").map((row) => row.challenge_id));
  return [all.size - waiting.size, all.size];
}

const pace = (images: Images | undefined) =>
  images?.nodes.some(({ images }) => images && [...images.builds, ...images.pulls].some(isChanging))
    ? CHANGING_MS
    : SETTLED_MS;

function describe(row: ImageRow): string {
  if (!isChanging(row)) return row.status;
  if (row.position) return `waits, number ${row.position}`;
  if (row.steps) return `${row.status} ${row.step ?? 0}/${row.steps}`;
  if (row.bytes_total) return `${row.status} ${Math.floor((100 * (row.bytes ?? 0)) / row.bytes_total)} %`;
  return row.status;
}

function Warmth({ row }: { row: ImageRow | undefined }) {
  if (!row) return <span class="muted">–</span>;
  return <Badge tone={TONE[row.status] ?? "bad"}>{describe(row)}</Badge>;
}

interface Line {
  id: string;
  of: { node_id: string; build: ImageRow | undefined; pull: ImageRow | undefined }[];
}

function toLines(nodes: NodeImages[]): Line[] {
  const rows = (node: NodeImages) => [...(node.images?.builds ?? []), ...(node.images?.pulls ?? [])];
  const ids = [...new Set(nodes.flatMap((node) => rows(node).map((row) => row.challenge_id)))].sort();
  return ids.map((id) => ({
    id,
    of: nodes.map((node) => ({
      node_id: node.node_id,
      build: node.images?.builds.find((row) => row.challenge_id === id),
      pull: node.images?.pulls.find((row) => row.challenge_id === id),
    })),
  }));
}

function columns(nodes: NodeImages[]): Column<Line>[] {
  return [
    { name: "Challenge", cell: (line) => line.id },
    ...nodes.map(
      (node, i): Column<Line> => ({
        name: node.node,
        cell: (line) => (
          <span class="warmth">
            <Warmth row={line.of[i]!.build} />
            <Warmth row={line.of[i]!.pull} />
          </span>
        ),
      }),
    ),
  ];
}

function Errors({ nodes }: { nodes: NodeImages[] }) {
  return (
    <>
      {nodes.map((node) => node.detail && <Alert key={node.node_id}>{`${node.node}: ${node.detail}`}</Alert>)}
      {nodes.flatMap((node) =>
        [...(node.images?.builds ?? []), ...(node.images?.pulls ?? [])]
          .filter((row) => row.error)
          .map((row) => (
            <Alert key={`${node.node_id} ${row.challenge_id} ${row.status}`}>
              <strong>
                {row.challenge_id} on {node.node}
              </strong>
              {": "}
              <Reason text={row.error!} />
            </Alert>
          )),
      )}
    </>
  );
}

export function ImagesPage(_: { params: Params }) {
  const images = useGet<Images>("/admin/challenges/images", pace);
  const competitions = useGet<{ competitions: Competition[] }>("/competitions");
  const [scope, setScope] = useState("");
  const [asked, setAsked] = useState(false);
  const warming = useAction(async () => {
    const query = scope && `?competition=${encodeURIComponent(scope)}`;
    await call("POST", `/admin/challenges/pull${query}`);
    await call("POST", `/admin/challenges/build${query}`);
    setAsked(true);
    announce("Every node makes ready what it has not got");
    await images.reload();
  });
  return (
    <Page
      title="Images"
      lead="What each node has ready, built and pulled: a start then takes no longer than its containers"
      actions={
        <>
          <select aria-label="What to warm" value={scope} onChange={(event) => setScope(event.currentTarget.value)}>
            <option value="">Every challenge</option>
            {competitions.data?.competitions.map((competition) => (
              <option key={competition.id} value={competition.id}>
                {competition.name}
              </option>
            ))}
          </select>
          <Button kind="primary" busy={warming.busy} onClick={() => void warming.run()}>
            Warm all of it
          </Button>
        </>
      }
    >
      <div class="stack">
        <Failure error={warming.error} />
        {asked && <Alert tone="ok">Every node was asked to make ready what it has not got.</Alert>}
        <Loaded from={images}>
          {({ nodes }) => (
            <>
              <Errors nodes={nodes} />
              <Table
                label="Images"
                rows={toLines(nodes)}
                columns={columns(nodes)}
                rowKey={(line) => line.id}
                empty={<Empty title="No node has any challenges." />}
              />
            </>
          )}
        </Loaded>
      </div>
    </Page>
  );
}
