import { useState } from "preact/hooks";
import { requestText } from "../api";
import { formatDate } from "../format";
import { useAction, useGet, type Resource } from "../resource";
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

function CompetitionCard({ competition }: { competition: Competition }) {
  const phase = phaseOf(competition);
  return (
    <Card
      title={competition.name}
      aside={<Badge tone={phase === "runs" ? "ok" : "plain"}>{phase}</Badge>}
    >
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
    </Card>
  );
}

function Apply({ list }: { list: Resource<{ competitions: Competition[] }> }) {
  const [text, setText] = useState(EXAMPLE);
  const [done, setDone] = useState(false);
  const application = useAction(async () => {
    setDone(false);
    await requestText("POST", "/admin/competitions", text);
    setDone(true);
    await list.reload();
  });
  return (
    <Card title="Make or change one">
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void application.run();
        }}
      >
        <Field label="A competition's file" hint="YAML or JSON. An id that is known is changed.">
          {(id, hintId) => (
            <textarea
              id={id}
              aria-describedby={hintId}
              class="code"
              spellcheck={false}
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          )}
        </Field>
        <Failure error={application.error} />
        {done && <Alert tone="ok">It is applied.</Alert>}
        <Button type="submit" busy={application.busy}>
          Apply
        </Button>
      </form>
    </Card>
  );
}

export function CompetitionsPage(_: { params: Params }) {
  const list = useGet<{ competitions: Competition[] }>("/competitions");
  return (
    <Page title="Competitions">
      <div class="two-columns">
        <div class="column">
          <Loaded from={list}>
            {({ competitions }) =>
              competitions.length > 0 ? (
                competitions.map((competition) => (
                  <CompetitionCard key={competition.id} competition={competition} />
                ))
              ) : (
                <Empty title="There are no competitions." />
              )
            }
          </Loaded>
        </div>
        <div class="column side">
          <Apply list={list} />
        </div>
      </div>
    </Page>
  );
}
