// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { call } from "../api";
import { formatDate, plural } from "../format";
import { useAction } from "../resource";
import type { BulkReport, BulkRow } from "../types";
import { Alert, Button, Card, ConfirmButton, Empty, Failure, Field, Table, TextField, announce } from "../ui";

/** The conditions that are yes or no, and what they say of an account or a team. */
const CONDITIONS = {
  users: { alone: "In no team", idle: "Handed in and started nothing" },
  teams: { alone: "Without members", idle: "Handed in and started nothing", unsolved: "Solved nothing" },
};

const ACTS = { users: ["disable", "enable", "delete"], teams: ["hide", "show", "stop", "delete"] };

type What = keyof typeof ACTS;

/** What a datetime field holds is local time. */
function instant(local: string): string | undefined {
  return local ? new Date(local).toISOString() : undefined;
}

function Met({ rows }: { rows: BulkRow[] }) {
  return (
    <Table
      label="Whom it meets"
      rows={rows}
      rowKey={(row) => row.id}
      columns={[
        { name: "Name", kind: "wide", cell: (row) => row.name },
        { name: "Outcome", cell: (row) => row.outcome },
        { name: "Made", kind: "time", cell: (row) => formatDate(row.created_at) },
        { name: "Answers", kind: "number", cell: (row) => row.submissions },
        { name: "Instances", kind: "number", cell: (row) => row.instances },
      ]}
      empty={<Empty title="It meets nobody." />}
    />
  );
}

interface Filter {
  name?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
  [condition: string]: string | boolean | undefined;
}

function Conditions(props: { what: What; filter: Filter; onFilter: (filter: Filter) => void }) {
  return (
    <>
      {Object.entries(CONDITIONS[props.what]).map(([name, label]) => (
        <label key={name} class="check">
          <input
            type="checkbox"
            checked={props.filter[name] === true}
            onChange={(event) => props.onFilter({ ...props.filter, [name]: event.currentTarget.checked })}
          />
          {label}
        </label>
      ))}
    </>
  );
}

function TimeField(props: { label: string; onTime: (time: string | undefined) => void }) {
  return (
    <Field label={props.label}>
      {(id) => (
        <input id={id} type="datetime-local" onInput={(event) => props.onTime(instant(event.currentTarget.value))} />
      )}
    </Field>
  );
}

/** One act on many: first it shows whom it meets and what becomes of each, and then it may be done. */
export function BulkCard({ what, onDone }: { what: What; onDone: () => Promise<void> }) {
  const [act, setAct] = useState(ACTS[what][0] ?? "");
  const [filter, setFilter] = useState<Filter>({});
  const [report, setReport] = useState<BulkReport | null>(null);
  const change = (next: Filter) => {
    setReport(null);
    setFilter(next);
  };
  const acting = useAction(async (expected?: number) => {
    const told = await call<BulkReport>("POST", `/admin/${what}/bulk`, {
      act,
      filter: { ...filter, name: filter.name || undefined },
      ...(expected !== undefined && { expected }),
    });
    setReport(told);
    if (!told.done) return;
    announce(`Done: ${told.count}`);
    await onDone();
  });
  const rows = report?.[what] ?? [];
  return (
    <Card title="Many at once">
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void acting.run();
        }}
      >
        <Field label="Act">
          {(id) => (
            <select
              id={id}
              value={act}
              onChange={(event) => {
                setReport(null);
                setAct(event.currentTarget.value);
              }}
            >
              {ACTS[what].map((word) => (
                <option key={word} value={word}>
                  {word}
                </option>
              ))}
            </select>
          )}
        </Field>
        <TextField
          label="Names like"
          hint="* is any text: spam*"
          value={filter.name ?? ""}
          onText={(name) => change({ ...filter, name })}
          autocomplete="off"
        />
        <TimeField label="Made from" onTime={(since) => change({ ...filter, since })} />
        <TimeField label="Made before" onTime={(until) => change({ ...filter, until })} />
        <Conditions what={what} filter={filter} onFilter={change} />
        <Failure error={acting.error} />
        <div class="actions">
          <Button type="submit" busy={acting.busy}>
            Show what it does
          </Button>
          {report && !report.done && report.count > 0 && (
            <ConfirmButton
              label={`${act} ${report.count}`}
              question={`Really ${act} ${plural(report.count, what === "users" ? "account" : "team")}?`}
              busy={acting.busy}
              onConfirm={() => void acting.run(report.count)}
            />
          )}
        </div>
      </form>
      {report?.done && <Alert tone="ok">It is done.</Alert>}
      {report && <Met rows={rows} />}
    </Card>
  );
}
