// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef, useState } from "preact/hooks";
import { call, me } from "../api";
import { useEvent } from "../events";
import { formatDate, plural } from "../format";
import { lazy } from "../lazy";
import { useAction, useGet } from "../resource";
import type { Params } from "../router";
import { useStore } from "../store";
import type { Attachment, ChallengePage as Challenge, Hint, Question, Verdict } from "../types";
import { Alert, Badge, Button, Card, ConfirmButton, Failure, Loaded, Page, TeamLink } from "../ui";
import { InstancePanel } from "./instance-panel";

const REFRESH_MS = 10000;

const Markdown = lazy<{ text: string }>(async () => (await import("../markdown")).Markdown);

function tell(verdict: Verdict): [tone: "ok" | "warn" | "bad", words: string] {
  switch (verdict.verdict) {
    case "correct":
      return [
        "ok",
        `${verdict.first_blood ? "First blood! " : ""}Correct: ${plural(verdict.value, "point")}.`,
      ];
    case "repeated":
      return ["warn", "Right, but your team has solved this one already."];
    case "held":
      return ["warn", "Your answer is kept: the organisers will judge it."];
    case "wrong":
      return ["bad", "That isn't it."];
  }
}

function AnswerForm(props: { challenge: string; question: Question; onVerdict: () => void }) {
  const [answer, setAnswer] = useState("");
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const submission = useAction(async () => {
    setVerdict(null);
    const told = await call<Verdict>(
      "POST",
      `/challenges/${encodeURIComponent(props.challenge)}/submissions`,
      { question: props.question.id, answer: answer.trim() },
    );
    setVerdict(told);
    if (told.verdict !== "wrong") setAnswer("");
    props.onVerdict();
  });
  const label = props.question.text || "Flag";
  return (
    <>
      <form
        class="answer"
        onSubmit={(event) => {
          event.preventDefault();
          void submission.run();
        }}
      >
        <input
          type="text"
          aria-label={`Answer: ${label}`}
          placeholder="flag{…}"
          value={answer}
          onInput={(event) => setAnswer(event.currentTarget.value)}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          required
        />
        <Button kind="primary" type="submit" busy={submission.busy}>
          Submit
        </Button>
      </form>
      <Failure error={submission.error} />
      {verdict && <Alert tone={tell(verdict)[0]}>{tell(verdict)[1]}</Alert>}
    </>
  );
}

function QuestionItem(props: { challenge: string; question: Question; onVerdict: () => void }) {
  const { question } = props;
  return (
    <li class="question">
      <div class="question-head">
        <span>{question.text || "What is the flag?"}</span>
        <span class="question-worth">
          {question.solved ? <Badge tone="ok">Solved</Badge> : plural(question.value, "point")}
        </span>
      </div>
      <AnswerForm {...props} />
    </li>
  );
}

function HintItem(props: { challenge: string; hint: Hint; onUnlock: () => Promise<void> }) {
  const { hint } = props;
  const unlocking = useAction(async () => {
    await call("POST", `/challenges/${encodeURIComponent(props.challenge)}/hints/${hint.index}`);
    await props.onUnlock();
  });
  const title = hint.title && `${hint.title}: `;
  if (hint.text !== null)
    return (
      <li>
        {title && <strong>{title}</strong>}
        {hint.text}
      </li>
    );
  if (hint.needs !== null)
    return (
      <li class="hint-locked">
        {title}Hint {hint.index + 1} opens after hint {hint.needs + 1}.
      </li>
    );
  return (
    <li class="hint-locked">
      <span>
        {title}Hint {hint.index + 1} costs {plural(hint.cost, "point")}.
      </span>
      <ConfirmButton
        kind="plain"
        label="Show it"
        question={`Show this hint? It takes ${plural(hint.cost, "point")} off your team's score.`}
        busy={unlocking.busy}
        onConfirm={() => void unlocking.run()}
      />
      <Failure error={unlocking.error} />
    </li>
  );
}

function Hints({ challenge, reload }: { challenge: Challenge; reload: () => Promise<void> }) {
  if (challenge.hints.length === 0) return null;
  return (
    <Card title="Hints">
      <ul class="hints">
        {challenge.hints.map((hint) => (
          <HintItem key={hint.index} challenge={challenge.id} hint={hint} onUnlock={reload} />
        ))}
      </ul>
    </Card>
  );
}

function Attachments({ id, instance }: { id: string; instance: string | undefined }) {
  const base = `/challenges/${encodeURIComponent(id)}/attachments`;
  const list = useGet<{ attachments: Attachment[] }>(base);
  // An instance has files of its own, which are there once it runs.
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) void list.reload();
    first.current = false;
  }, [instance]);
  if (!list.data || list.data.attachments.length === 0) return null;
  return (
    <Card title="Files">
      <ul class="files">
        {list.data.attachments.map((file) => (
          <li key={file.filename}>
            <a href={`/api/v1${base}/${encodeURIComponent(file.filename)}`} download={file.filename}>
              {file.filename}
            </a>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Body({ challenge, reload }: { challenge: Challenge; reload: () => Promise<void> }) {
  const [running, setRunning] = useState<string | undefined>();
  const who = useStore(me);
  return (
    <div class="two-columns challenge-body">
      <Card>
        {challenge.description ? (
          <Markdown text={challenge.description} />
        ) : (
          <p class="muted">This challenge has no description.</p>
        )}
        {challenge.connection_info && <pre class="command">{challenge.connection_info}</pre>}
      </Card>
      <div class="column side">
        {challenge.has_instance && (
          <InstancePanel challenge={challenge.id} hasTeam={!!who?.team} onRunning={setRunning} />
        )}
        {who?.team && <Attachments id={challenge.id} instance={running} />}
      </div>
      <div class="column">
        <Card title={challenge.questions.length > 1 ? "Questions" : "Your answer"}>
          {who?.team ? (
            <>
              {challenge.attempts > 0 && (
                <p class="muted small">{`At most ${plural(challenge.attempts, "attempt")} for your team.`}</p>
              )}
              <ul class="questions">
                {challenge.questions.map((question) => (
                  <QuestionItem
                    key={question.id}
                    challenge={challenge.id}
                    question={question}
                    onVerdict={reload}
                  />
                ))}
              </ul>
            </>
          ) : (
            <p>
              <a href="/team">Make or join a team</a> to hand in answers.
            </p>
          )}
        </Card>
        <Hints challenge={challenge} reload={reload} />
      </div>
    </div>
  );
}

export function ChallengePage({ params }: { params: Params }) {
  const id = params["id"]!;
  const page = useGet<Challenge>(`/challenges/${encodeURIComponent(id)}`, REFRESH_MS);
  useEvent("scoreboard", page.reload);
  const challenge = page.data;
  const lead = challenge && (
    <span class="lead-facts">
      <span>{challenge.category || "misc"}</span>
      <span>{plural(challenge.value, "point")}</span>
      <span>{challenge.solvers === 0 ? "not solved yet" : plural(challenge.solvers, "solve")}</span>
      {challenge.first_blood && (
        <span>
          first blood: <TeamLink {...challenge.first_blood} />
        </span>
      )}
      {challenge.closes_at && <span>until {formatDate(challenge.closes_at)}</span>}
      {challenge.author && <span>by {challenge.author}</span>}
    </span>
  );
  return (
    <>
      <nav class="crumbs" aria-label="Breadcrumb">
        <a href="/challenges">Challenges</a>
      </nav>
      <Page
        title={challenge?.name ?? id}
        lead={lead ?? " "}
        actions={challenge?.solved && <Badge tone="ok">Solved</Badge>}
      >
        <Loaded from={page} lines={8}>
          {(data) => <Body challenge={data} reload={page.reload} />}
        </Loaded>
      </Page>
    </>
  );
}
