import { call, me, serverNow } from "../api";
import { formatAgo } from "../format";
import { useAction, useGet, useNow } from "../resource";
import type { Params } from "../router";
import { useStore } from "../store";
import type { Node } from "../types";
import { Badge, Button, Card, ConfirmButton, Empty, Facts, Failure, Loaded, Page, announce, type Tone } from "../ui";

const REFRESH_MS = 3000;

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

function NodeCard({ node, reload }: { node: Node; reload: () => Promise<void> }) {
  const who = useStore(me);
  const now = useNow(serverNow);
  const removal = useAction(async () => {
    await call("DELETE", `/admin/nodes/${encodeURIComponent(node.id)}`);
    await reload();
  });
  const draining = useAction(async () => {
    await call("POST", `/admin/nodes/${encodeURIComponent(node.id)}/${node.drained ? "undrain" : "drain"}`);
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
        ]}
      />
      <Failure error={draining.error ?? removal.error} />
      <div class="actions">
        <Button busy={draining.busy} onClick={() => void draining.run()}>
          {node.drained ? "Use again" : "Drain"}
        </Button>
        {who?.role === "admin" && (
          <ConfirmButton
            kind="quiet"
            label="Remove"
            question={`Remove the node "${node.name}"? It has to have no instances, and may register again.`}
            busy={removal.busy}
            onConfirm={() => void removal.run()}
          />
        )}
      </div>
    </Card>
  );
}

export function NodesPage(_: { params: Params }) {
  const list = useGet<{ nodes: Node[] }>("/admin/nodes", REFRESH_MS);
  return (
    <Page title="Nodes">
      <Loaded from={list}>
        {({ nodes }) =>
          nodes.length > 0 ? (
            <div class="halves">
              {nodes.map((node) => (
                <NodeCard key={node.id} node={node} reload={list.reload} />
              ))}
            </div>
          ) : (
            <Empty title="No node is registered.">A node's machine joins with: ctfy join</Empty>
          )
        }
      </Loaded>
    </Page>
  );
}
