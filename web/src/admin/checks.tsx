// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { plural } from "../format";
import { useGet } from "../resource";
import type { Params } from "../router";
import type { Lint, Node, Problem } from "../types";
import { Alert, Badge, Card, Copy, Empty, Loaded, Page, Table, type Tone } from "../ui";

export const OUTCOME_TONE: Record<Lint["outcome"], Tone> = { fine: "ok", policy: "warn", faulty: "bad" };

const PROBLEM_TONE: Record<Problem["kind"], Tone> = { error: "bad", warning: "warn", policy: "accent" };

const OUTCOME: Record<Lint["outcome"], string> = { fine: "fine", policy: "refused by policy", faulty: "faulty" };

/** The nodes to choose from; one that isn't chosen leaves it to the platform. */
export function NodeChoice({ node, onChoose }: { node: string; onChoose: (id: string) => void }) {
  const list = useGet<{ nodes: Node[] }>("/admin/nodes");
  const nodes = list.data?.nodes ?? [];
  if (nodes.length < 2) return null;
  return (
    <select aria-label="On which node" value={node} onChange={(event) => onChoose(event.currentTarget.value)}>
      <option value="">Any healthy node</option>
      {nodes.map(({ id, name, state }) => (
        <option key={id} value={id}>
          {state === "healthy" ? name : `${name} (${state})`}
        </option>
      ))}
    </select>
  );
}

export const onNode = (path: string, node: string) => (node ? `${path}?node=${encodeURIComponent(node)}` : path);

function Place({ problem }: { problem: Problem }) {
  if (!problem.file) return null;
  return <code class="place-of">{problem.line ? `${problem.file}:${problem.line}:${problem.column}` : problem.file}</code>;
}

function Finding({ problem }: { problem: Problem }) {
  return (
    <li class="finding">
      <Badge tone={PROBLEM_TONE[problem.kind]}>{problem.kind}</Badge>
      <div>
        <p>
          {problem.key && <code>{problem.key}: </code>}
          {problem.message}
        </p>
        <Place problem={problem} />
        {problem.opt_in && (
          <p class="muted">
            Opt-in <code>{problem.opt_in}</code>
            {problem.allows && ` would let the challenge ${problem.allows}.`}
          </p>
        )}
      </div>
    </li>
  );
}

/** What the operator would write into the node's policy so that nothing is refused any more. */
function policyOf(lint: Lint): string | null {
  const optIns = [...new Set(lint.problems.flatMap(({ opt_in }) => opt_in ?? []))];
  if (!lint.id || optIns.length === 0) return null;
  return `challenges:\n  ${JSON.stringify(lint.id)}:\n    allow: ${JSON.stringify(optIns)}\n`;
}

export function Findings({ lint }: { lint: Lint }) {
  const policy = policyOf(lint);
  if (lint.problems.length === 0) return <Alert tone="ok">Nothing is wrong with it.</Alert>;
  return (
    <>
      <ul class="findings">
        {lint.problems.map((problem, i) => (
          <Finding key={i} problem={problem} />
        ))}
      </ul>
      {policy && (
        <figure class="policy">
          <figcaption>
            The node's policy file would allow it with <Copy text={policy} label="policy" />
          </figcaption>
          <pre tabIndex={0} aria-label="Policy">
            {policy}
          </pre>
        </figure>
      )}
    </>
  );
}

export function Outcome({ lint }: { lint: Lint }) {
  return <Badge tone={OUTCOME_TONE[lint.outcome]}>{OUTCOME[lint.outcome]}</Badge>;
}

const count = (lint: Lint, kind: Problem["kind"]) => lint.problems.filter((problem) => problem.kind === kind).length;

export function ChecksPage(_: { params: Params }) {
  const [node, setNode] = useState("");
  const told = useGet<{ node: string; lints: { challenges: Lint[] } }>(onNode("/admin/challenges/lint", node));
  return (
    <Page
      title="Checks"
      lead="What is wrong with challenges, as ctfy challenge lint says it, under a node's policy"
      actions={<NodeChoice node={node} onChoose={setNode} />}
    >
      <Loaded from={told}>
        {({ node: name, lints: { challenges } }) => (
          <div class="stack">
            {challenges
              .filter(({ id }) => id === null)
              .map((lint) => (
                <Card key={lint.path} title={lint.path} aside={<Badge tone="bad">does not load</Badge>}>
                  <Findings lint={lint} />
                </Card>
              ))}
            <Table
              label="Challenges"
              rows={challenges.filter(({ id }) => id !== null)}
              rowKey={(lint) => lint.path}
              columns={[
                {
                  name: "Challenge",
                  kind: "wide",
                  cell: ({ id }) => <a href={`/admin/checks/${encodeURIComponent(id!)}`}>{id}</a>,
                },
                { name: "Written as", cell: (lint) => lint.dialect },
                { name: "Outcome", cell: (lint) => <Outcome lint={lint} /> },
                { name: "Errors", kind: "number", cell: (lint) => count(lint, "error") },
                { name: "Refusals", kind: "number", cell: (lint) => count(lint, "policy") },
                { name: "Warnings", kind: "number", cell: (lint) => count(lint, "warning") },
              ]}
              empty={<Empty title={`${name} has no challenges.`} />}
            />
            <p class="muted">
              {plural(challenges.length, "challenge")} on {name}
            </p>
          </div>
        )}
      </Loaded>
    </Page>
  );
}
