// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { call } from "../api";
import { plural } from "../format";
import { useAction, useGet } from "../resource";
import type { Params } from "../router";
import type { Challenge, Rescan } from "../types";
import { Alert, Badge, Button, Card, Empty, Failure, Loaded, Page, Table } from "../ui";

interface Found {
  platform: Rescan;
  nodes: { node_id: string; node: string; rescan?: Rescan; detail?: string | null }[];
}

function Changes({ rescan }: { rescan: Rescan }) {
  const told = (["added", "changed", "removed"] as const).filter((what) => rescan[what]?.length > 0);
  return (
    <>
      <p>
        {plural(rescan.total, "challenge")}
        {told.map((what) => `, ${what}: ${rescan[what].join(", ")}`)}
      </p>
      {rescan.unstartable && (
        <p>
          {plural(rescan.unstartable.length, "challenge")} would not start: <a href="/admin/checks">Checks</a> say why.
        </p>
      )}
      {rescan.errors.map((error) => (
        <Alert key={error.path}>
          <strong>{error.path}</strong> {error.detail}
        </Alert>
      ))}
    </>
  );
}

function Findings({ found }: { found: Found }) {
  return (
    <div class="stack">
      <Card title="What the platform found">
        <Changes rescan={found.platform} />
      </Card>
      {found.nodes.map((node) => (
        <Card key={node.node_id} title={`What ${node.node} found`}>
          {node.rescan ? <Changes rescan={node.rescan} /> : <Failure error={node.detail ?? "no answer"} />}
        </Card>
      ))}
    </div>
  );
}

export function ChallengesPage(_: { params: Params }) {
  const list = useGet<{ challenges: Challenge[] }>("/challenges");
  const [found, setFound] = useState<Found | null>(null);
  const rescan = useAction(async () => {
    setFound(await call<Found>("POST", "/admin/challenges/rescan"));
    await list.reload();
  });
  return (
    <Page
      title="Challenges"
      lead="As players of the present competition see them"
      actions={
        <Button busy={rescan.busy} onClick={() => void rescan.run()}>
          Read the folders again
        </Button>
      }
    >
      <div class="stack">
        <Failure error={rescan.error} />
        {found && <Findings found={found} />}
        <Loaded from={list}>
          {({ challenges }) => (
            <Table
              label="Challenges"
              rows={challenges}
              rowKey={(row) => row.id}
              columns={[
                {
                  name: "Name",
                  kind: "wide",
                  cell: (row) => <a href={`/challenges/${encodeURIComponent(row.id)}`}>{row.name}</a>,
                },
                { name: "Category", cell: (row) => row.category ?? "–" },
                { name: "Questions", kind: "number", cell: (row) => row.questions },
                { name: "Solves", kind: "number", cell: (row) => row.solvers },
                { name: "Value", kind: "number", cell: (row) => row.value },
                {
                  name: "Instance",
                  cell: (row) => (row.has_instance ? <Badge tone="accent">per team</Badge> : <Badge>none</Badge>),
                },
              ]}
              empty={<Empty title="There are no challenges." />}
            />
          )}
        </Loaded>
      </div>
    </Page>
  );
}
