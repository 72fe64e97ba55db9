// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { call, me, serverNow } from "../api";
import { formatAgo, plural } from "../format";
import { useAction, useGet, useNow } from "../resource";
import type { Params } from "../router";
import { useStore } from "../store";
import type { Node, NodeImages } from "../types";
import {
  Alert, Badge, Button, Card, ConfirmButton, Empty, Facts, Failure, Loaded, Page, Paste, announce, type Tone,
} from "../ui";
import { countReady } from "./images";
import { JoinSecrets } from "./join-secrets";

const REFRESH_MS = 3000;
const IMAGES_REFRESH_MS = 10000;

export const NODE_TONE: Record<string, Tone> = { healthy: "ok", degraded: "warn", lost: "bad" };

export function NodeLoad({ node, tone }: { node: Node; tone: Tone | undefined }) {
  return (
    <div class="node-load">
      <span class="node-name">
        {node.name} <Badge tone={tone ?? "plain"}>{node.state}</Badge>
        {node.drained && <Badge tone="warn">drained</Badge>}
      </span>
      <meter aria-label={`Load of ${node.name}`} min={0} max={node.capacity || 1} value={node.running} />
      <span class="muted">
        {node.running} of {node.capacity}
      </span>
    </div>
  );
}

/** What goes onto the node's machine when it gets another token. */
const tokenCommands = (token: string) =>
  `printf '%s\\n' '${token}' > /etc/ctfy/node-token\nsystemctl reload ctfy-node   # or SIGHUP to ctfy node`;

function FreshToken({ node, token }: { node: Node; token: string }) {
  return (
    <Alert tone="ok">
      {`Told only once. Until ${node.name} has it, it answers nobody; after three missed heartbeats it is lost, and` +
        " what runs on it is started elsewhere. On its machine, now:"}
      <Paste text={tokenCommands(token)} label={`commands for ${node.name}`} />
    </Alert>
  );
}

/** What only admins do to a node. */
function AdminActions({ node, path, reload }: { node: Node; path: string; reload: () => Promise<void> }) {
  const [token, setToken] = useState<string | null>(null);
  const rotation = useAction(async () => {
    setToken((await call<{ token: string }>("POST", `${path}/token`)).token);
  });
  const revocation = useAction(async () => {
    await call("DELETE", `${path}/token`);
    setToken(null);
    await reload();
  });
  const removal = useAction(async () => {
    await call("DELETE", path);
    await reload();
  });
  return (
    <>
      <ConfirmButton
        kind="quiet"
        label="New token"
        question={
          `Give the node "${node.name}" another token? The one it has ends at once: put the new one onto its machine` +
          " within a few heartbeats, or what runs on it is started elsewhere."
        }
        busy={rotation.busy}
        onConfirm={() => void rotation.run()}
      />
      <ConfirmButton
        kind="quiet"
        label="Revoke token"
        question={
          `End the token of the node "${node.name}"? It is lost until it joins again, and what runs on it is started` +
          " elsewhere, where there is room. Do this where the token may be in wrong hands."
        }
        busy={revocation.busy}
        onConfirm={() => void revocation.run()}
      />
      <ConfirmButton
        kind="quiet"
        label="Remove"
        question={`Remove the node "${node.name}"? It has to have no instances, and may join again.`}
        busy={removal.busy}
        onConfirm={() => void removal.run()}
      />
      <Failure error={rotation.error ?? revocation.error ?? removal.error} />
      {token && <FreshToken node={node} token={token} />}
    </>
  );
}

function Ready({ images }: { images: NodeImages | undefined }) {
  if (!images) return <>…</>;
  if (images.detail) return <span class="muted">it doesn't tell</span>;
  const [ready, all] = countReady(images);
  return (
    <>
      <a href="/admin/images">
        {ready} of {plural(all, "challenge")}
      </a>{" "}
      ready
    </>
  );
}

function NodeCard(props: { node: Node; images: NodeImages | undefined; reload: () => Promise<void> }) {
  const { node, reload } = props;
  const path = `/admin/nodes/${encodeURIComponent(node.id)}`;
  const who = useStore(me);
  const now = useNow(serverNow);
  const draining = useAction(async () => {
    await call("POST", `${path}/${node.drained ? "undrain" : "drain"}`);
    await reload();
    announce(node.drained ? `${node.name} gets instances again` : `${node.name} gets no new instances`);
  });
  return (
    <Card>
      <NodeLoad node={node} tone={NODE_TONE[node.state]} />
      {node.detail && <p class="alert warn">{node.detail}</p>}
      <Facts
        rows={[
          ["Address", <code>{node.url}</code>],
          ["Engine", node.engine ?? "not known"],
          ["Version", node.version ?? "not known"],
          ["Heard of", formatAgo(node.seen_at, now)],
          ["Images", <Ready images={props.images} />],
        ]}
      />
      <Failure error={draining.error} />
      <div class="actions">
        <Button busy={draining.busy} onClick={() => void draining.run()}>
          {node.drained ? "Use again" : "Drain"}
        </Button>
        {who?.role === "admin" && <AdminActions node={node} path={path} reload={reload} />}
      </div>
    </Card>
  );
}

/* n2 before n10. */
const byName = (a: Node, b: Node) => a.name.localeCompare(b.name, undefined, { numeric: true });

export function NodesPage(_: { params: Params }) {
  const who = useStore(me);
  const list = useGet<{ nodes: Node[] }>("/admin/nodes", REFRESH_MS);
  const images = useGet<{ nodes: NodeImages[] }>("/admin/challenges/images", IMAGES_REFRESH_MS);
  return (
    <Page title="Nodes" lead="Where instances run. A drained node keeps what it has, and gets nothing new.">
      <div class="stack">
        <Loaded from={list} lines={9}>
          {({ nodes }) =>
            nodes.length > 0 ? (
              <div class="halves">
                {[...nodes].sort(byName).map((node) => (
                  <NodeCard
                    key={node.id}
                    node={node}
                    images={images.data?.nodes.find(({ node_id }) => node_id === node.id)}
                    reload={list.reload}
                  />
                ))}
              </div>
            ) : (
              <Empty title="No node has joined yet.">Nothing can be started without one.</Empty>
            )
          }
        </Loaded>
        {who?.role === "admin" && <JoinSecrets />}
      </div>
    </Page>
  );
}
