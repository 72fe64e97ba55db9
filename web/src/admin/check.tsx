// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "preact/hooks";
import { call } from "../api";
import { formatDate, formatSeconds } from "../format";
import { useAction, useGet } from "../resource";
import type { Params } from "../router";
import type { Lint, NodeTrial, Trial } from "../types";
import { Alert, Badge, Button, Card, Empty, Failure, Loaded, Page, announce, type Tone } from "../ui";
import { Findings, NodeChoice, Outcome, onNode } from "./checks";
import { plainText } from "./logs";

const RUNNING_MS = 1000;

const TONE: Record<Trial["outcome"], Tone> = {
  untried: "plain",
  running: "busy",
  solved: "ok",
  healthy: "ok",
  question: "plain",
  failed: "bad",
};

const STEPS: Record<string, string> = {
  start: "Starting an instance",
  health: "Waiting until it is healthy",
  solve: "The solver at work",
  stop: "Stopping the instance",
};

function Verdict({ trial }: { trial: Trial }) {
  switch (trial.outcome) {
    case "failed":
      return (
        <Alert>
          {trial.step && <strong>{STEPS[trial.step]}: </strong>}
          {trial.detail}
        </Alert>
      );
    case "solved":
      return <Alert tone="ok">The solver found every answer.</Alert>;
    case "healthy":
      return <Alert tone="ok">It starts and is healthy; {trial.detail}.</Alert>;
    case "question":
      return <Alert tone="ok">It has nothing to run.</Alert>;
    default:
      return null;
  }
}

function Steps({ trial }: { trial: Trial }) {
  return (
    <ol class="trial-steps" aria-label="Steps">
      {trial.steps.map(({ step, ms }) => {
        const at = trial.step === step;
        return (
          <li key={step}>
            <Badge tone={!at ? "ok" : trial.outcome === "running" ? "busy" : "bad"}>{STEPS[step]}</Badge>
            <span class="muted">{formatSeconds(ms)}</span>
            {at && trial.outcome === "running" && trial.detail && <span>{trial.detail}</span>}
          </li>
        );
      })}
    </ol>
  );
}

function TrialReport({ trial }: { trial: Trial }) {
  if (trial.outcome === "untried")
    return (
      <Empty title="Nobody has tried it here yet.">
        An instance is started, solved by the challenge's own program, and stopped again.
      </Empty>
    );
  return (
    <div class="stack">
      <Verdict trial={trial} />
      <Steps trial={trial} />
      {trial.answers.length > 0 && (
        <ul class="trial-steps" aria-label="Answers">
          {trial.answers.map(({ question, found }) => (
            <li key={question}>
              <Badge tone={found ? "ok" : "bad"}>{found ? "found" : "missed"}</Badge>
              <span>{question}</span>
            </li>
          ))}
        </ul>
      )}
      {trial.output && (
        <pre class="log short" tabIndex={0} role="log" aria-label="Output" aria-live="off">
          {plainText(trial.output)}
        </pre>
      )}
      {trial.ended_at && <p class="muted">{formatDate(trial.ended_at)}</p>}
    </div>
  );
}

const isRunning = (told: NodeTrial | undefined) => told?.trial.outcome === "running";

function TestRun({ path }: { path: string }) {
  const told = useGet<NodeTrial>(path, (data) => (isRunning(data) ? RUNNING_MS : 0));
  const [begun, setBegun] = useState(false);
  const outcome = told.data?.trial.outcome;
  useEffect(() => {
    if (begun && outcome && outcome !== "running") announce(`The test run has ended: ${outcome}`);
  }, [begun, outcome]);
  const run = useAction(async () => {
    told.put(await call<NodeTrial>("POST", path));
    setBegun(true);
    announce("A test run has begun");
  });
  return (
    <Card
      title={told.data ? `Test run on ${told.data.node}` : "Test run"}
      aside={outcome && outcome !== "untried" && <Badge tone={TONE[outcome]}>{outcome}</Badge>}
    >
      <div class="stack">
        <Failure error={run.error} />
        <Loaded from={told}>{({ trial }) => <TrialReport trial={trial} />}</Loaded>
        <div class="actions">
          <Button kind="primary" busy={run.busy || isRunning(told.data)} onClick={() => void run.run()}>
            Test run
          </Button>
        </div>
      </div>
    </Card>
  );
}

export function CheckPage({ params }: { params: Params }) {
  const [node, setNode] = useState("");
  const base = `/admin/challenges/${encodeURIComponent(params.id!)}`;
  const told = useGet<{ node_id: string; node: string; lint: Lint }>(onNode(`${base}/lint`, node));
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
          {({ node_id, node: name, lint }) => (
            <>
              <Card title={`Its files on ${name}`} aside={<Outcome lint={lint} />}>
                <Findings lint={lint} />
              </Card>
              <TestRun key={node_id} path={onNode(`${base}/trial`, node_id)} />
            </>
          )}
        </Loaded>
      </div>
    </Page>
  );
}
