// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { get, requestText } from "../api";
import { formatDate } from "../format";
import { useAction, useGet } from "../resource";
import type { Params } from "../router";
import type { Competition } from "../types";
import { Alert, Badge, Button, Card, Empty, Facts, Failure, Field, Loaded, Page } from "../ui";

const EXAMPLE = `id: finals
name: The finals
start: 2027-03-06T09:00:00Z
end: 2027-03-06T17:00:00Z
freeze: 2027-03-06T16:00:00Z
team_size: 4
challenges: all
`;

function phaseOf(competition: Competition): string {
  const now = Date.now();
  if (competition.starts_at && Date.parse(competition.starts_at) > now) return "to come";
  if (competition.ends_at && Date.parse(competition.ends_at) <= now) return "over";
  return "runs";
}

function CompetitionCard(props: { competition: Competition; onEdit: (file: string) => void }) {
  const { competition } = props;
  const phase = phaseOf(competition);
  const reading = useAction(async () => {
    const { file } = await get<{ file: string }>(`/admin/competitions/${encodeURIComponent(competition.id)}`);
    props.onEdit(file);
  });
  return (
    <Card title={competition.name} aside={<Badge tone={phase === "runs" ? "ok" : "plain"}>{phase}</Badge>}>
      {competition.description && <p>{competition.description}</p>}
      <Facts
        rows={[
          ["Id", <code>{competition.id}</code>],
          ["Begins", competition.starts_at ? formatDate(competition.starts_at) : "open now"],
          ["Ends", competition.ends_at ? formatDate(competition.ends_at) : "never"],
          ["Board frozen", competition.freeze_at ? formatDate(competition.freeze_at) : "never"],
          ["Registration", competition.registration],
        ]}
      />
      <Failure error={reading.error} />
      <Button busy={reading.busy} onClick={() => void reading.run()}>
        Change it
      </Button>
    </Card>
  );
}

interface Change {
  key: string;
  from: unknown;
  to: unknown;
}

function Changes({ changes }: { changes: Change[] }) {
  if (changes.length === 0) return <Alert tone="plain">That changes nothing.</Alert>;
  return (
    <ul class="changes">
      {changes.map(({ key, from, to }) => (
        <li key={key}>
          <strong>{key}</strong> <del>{from === null ? "" : JSON.stringify(from)}</del>{" "}
          <ins>{JSON.stringify(to)}</ins>
        </li>
      ))}
    </ul>
  );
}

function Editor(props: { text: string; onText: (text: string) => void; onApplied: () => Promise<void> }) {
  const [changes, setChanges] = useState<Change[] | null>(null);
  const [warnings, setWarnings] = useState<string[]>([]);
  const [done, setDone] = useState(false);
  const application = useAction(async (dry: boolean) => {
    setDone(false);
    setChanges(null);
    const answer = await requestText("POST", `/admin/competitions${dry ? "?dry_run=true" : ""}`, props.text);
    const told = (await answer.json()) as { changes: Change[]; warnings: string[] };
    setWarnings(told.warnings);
    if (dry) return setChanges(told.changes);
    setDone(true);
    await props.onApplied();
  });
  return (
    <Card title="Make or change one">
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void application.run(false);
        }}
      >
        <Field label="A competition's file" hint="YAML or JSON. An id that is known is changed.">
          {(id, hintId) => (
            <textarea
              id={id}
              aria-describedby={hintId}
              class="code"
              spellcheck={false}
              value={props.text}
              onInput={(event) => props.onText(event.currentTarget.value)}
            />
          )}
        </Field>
        <Failure error={application.error} />
        {changes && <Changes changes={changes} />}
        {warnings.map((warning) => (
          <Alert key={warning} tone="warn">
            {warning}
          </Alert>
        ))}
        {done && <Alert tone="ok">It is applied.</Alert>}
        <div class="actions">
          <Button kind="primary" type="submit" busy={application.busy}>
            Apply
          </Button>
          <Button busy={application.busy} onClick={() => void application.run(true)}>
            Show what changes
          </Button>
        </div>
      </form>
    </Card>
  );
}

export function CompetitionsPage(_: { params: Params }) {
  const list = useGet<{ competitions: Competition[] }>("/competitions");
  const [text, setText] = useState(EXAMPLE);
  return (
    <Page title="Competitions">
      <div class="halves">
        <div class="column">
          <Loaded from={list}>
            {({ competitions }) =>
              competitions.length > 0 ? (
                <>
                  {competitions.map((competition) => (
                    <CompetitionCard key={competition.id} competition={competition} onEdit={setText} />
                  ))}
                </>
              ) : (
                <Empty title="There are no competitions." />
              )
            }
          </Loaded>
        </div>
        <div class="column">
          <Editor text={text} onText={setText} onApplied={list.reload} />
        </div>
      </div>
    </Page>
  );
}
