import { useState } from "preact/hooks";
import { useGet } from "../resource";
import type { Params } from "../router";
import type { Lint } from "../types";
import { Button, Card, Loaded, Page } from "../ui";
import { Findings, NodeChoice, Outcome, onNode } from "./checks";

export function CheckPage({ params }: { params: Params }) {
  const [node, setNode] = useState("");
  const base = `/admin/challenges/${encodeURIComponent(params.id!)}`;
  const told = useGet<{ node: string; lint: Lint }>(onNode(`${base}/lint`, node));
  return (
    <Page
      title={params.id!}
      lead={<a href="/admin/checks">All checks</a>}
      actions={
        <>
          <NodeChoice node={node} onChoose={setNode} />
          <Button onClick={() => void told.reload()}>Look again</Button>
        </>
      }
    >
      <div class="stack">
        <Loaded from={told}>
          {({ node: name, lint }) => (
            <Card title={`Its files on ${name}`} aside={<Outcome lint={lint} />}>
              <Findings lint={lint} />
            </Card>
          )}
        </Loaded>
      </div>
    </Page>
  );
}
