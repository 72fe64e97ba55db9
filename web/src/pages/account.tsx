// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { call, me } from "../api";
import { formatDate, formatDay } from "../format";
import { useAction, useGet, type Resource } from "../resource";
import type { Params } from "../router";
import { useStore } from "../store";
import type { Oidc, Token } from "../types";
import {
  Alert, Badge, Button, Card, ConfirmButton, Copy, Empty, Facts, Failure, Field, Loaded, Page, Paste, Table, TeamLink,
  TextField, type Column,
} from "../ui";

function Password() {
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const [done, setDone] = useState(false);
  const change = useAction(async () => {
    setDone(false);
    await call("PUT", "/me/password", { old_password: old, password: fresh });
    setDone(true);
    setOld("");
    setFresh("");
  });
  return (
    <Card title="Password">
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void change.run();
        }}
      >
        <TextField
          label="Present password"
          type="password"
          value={old}
          onText={setOld}
          autocomplete="current-password"
          required
        />
        <TextField
          label="New password"
          hint="All other sessions and tokens end with the change."
          type="password"
          value={fresh}
          onText={setFresh}
          autocomplete="new-password"
          minLength={8}
          required
        />
        <Failure error={change.error} />
        {done && <Alert tone="ok">The password is changed.</Alert>}
        <Button type="submit" busy={change.busy}>
          Change it
        </Button>
      </form>
    </Card>
  );
}

/* Each may what those before it may. */
const SCOPES = ["player", "organiser", "admin"];

/* What POST /sessions names its tokens. */
const SESSION = "session";

type Tokens = Resource<{ tokens: Token[] }>;

const tokenCommands = (token: string) =>
  [
    `export CTFY_URL=${window.location.origin} CTFY_TOKEN=${token}`,
    "ctfy me",
    'curl -H "Authorization: Bearer $CTFY_TOKEN" $CTFY_URL/api/v1/me',
  ].join("\n");

/** A token is never more than its account: old ones of an organiser who is none any more. */
const describeScope = ({ scope, instance_id }: Token, role: string): string =>
  scope === "instance"
    ? `see and answer ${instance_id} alone`
    : `act as ${SCOPES.indexOf(scope) < SCOPES.indexOf(role) ? scope : role}`;

function NewToken({ tokens }: { tokens: Tokens }) {
  const [name, setName] = useState("");
  const [days, setDays] = useState("30");
  const [scope, setScope] = useState("player");
  const scopes = SCOPES.slice(0, SCOPES.indexOf(useStore(me)?.role ?? "player") + 1);
  const [fresh, setFresh] = useState<string | null>(null);
  const creation = useAction(async () => {
    const token = await call<{ token: string }>("POST", "/me/tokens", {
      name,
      scope,
      ...(days && { days: Number(days) }),
    });
    setFresh(token.token);
    setName("");
    await tokens.reload();
  });
  return (
    <>
      <form
        class="form row"
        onSubmit={(event) => {
          event.preventDefault();
          void creation.run();
        }}
      >
        <TextField label="What it is for" value={name} onText={setName} autocomplete="off" required />
        <TextField
          label="Days"
          type="number"
          min={1}
          max={3650}
          placeholder="for ever"
          value={days}
          onText={setDays}
        />
        {scopes.length > 1 && (
          <Field label="May act as">
            {(id) => (
              <select id={id} value={scope} onChange={(event) => setScope(event.currentTarget.value)}>
                {scopes.map((word) => (
                  <option key={word} value={word}>
                    {word}
                  </option>
                ))}
              </select>
            )}
          </Field>
        )}
        <Button type="submit" busy={creation.busy}>
          Make a token
        </Button>
      </form>
      <Failure error={creation.error} />
      {fresh && (
        <Alert tone="ok">
          Keep it now: it is told only once.
          <span class="endpoint-line">
            <code>{fresh}</code>
            <Copy text={fresh} label="token" />
          </span>
          <Paste text={tokenCommands(fresh)} label="an example" />
        </Alert>
      )}
    </>
  );
}

function useRevocation(tokens: Tokens) {
  return useAction(async (id: string) => {
    await call("DELETE", `/me/tokens/${encodeURIComponent(id)}`);
    await tokens.reload();
  });
}

const DATES: Column<Token>[] = [
  { name: "Made", kind: "time", cell: (row) => formatDay(row.created_at) },
  { name: "Ends", kind: "time", cell: (row) => (row.expires_at ? formatDay(row.expires_at) : "never") },
];

function TokenTable({ tokens, rows }: { tokens: Tokens; rows: Token[] }) {
  const role = useStore(me)?.role ?? "player";
  const revocation = useRevocation(tokens);
  return (
    <>
      <Failure error={revocation.error} />
      <Table
        label="API tokens"
        rows={rows}
        rowKey={(row) => row.id}
        columns={[
          { name: "What it is for", kind: "wide", cell: (row) => row.name },
          { name: "May", cell: (row) => describeScope(row, role) },
          ...DATES,
          {
            name: "",
            cell: (row) => (
              <ConfirmButton
                kind="quiet"
                label="Revoke"
                question={`Revoke the token "${row.name}"? What uses it stops working.`}
                busy={revocation.busy}
                onConfirm={() => void revocation.run(row.id)}
              />
            ),
          },
        ]}
        empty={<Empty title="No tokens." />}
      />
    </>
  );
}

function SessionTable({ tokens, rows }: { tokens: Tokens; rows: Token[] }) {
  const ending = useRevocation(tokens);
  return (
    <>
      <Failure error={ending.error} />
      <Table
        label="Sessions"
        rows={rows}
        rowKey={(row) => row.id}
        columns={[
          {
            name: "Where",
            kind: "wide",
            cell: (row) => (row.current ? <Badge tone="ok">This browser</Badge> : "Another browser, or ctfy login"),
          },
          ...DATES,
          {
            name: "",
            cell: (row) =>
              !row.current && (
                <ConfirmButton
                  kind="quiet"
                  label="End"
                  question="End this session? Whoever uses it has to log in again."
                  busy={ending.busy}
                  onConfirm={() => void ending.run(row.id)}
                />
              ),
          },
        ]}
        empty={<Empty title="No sessions." />}
      />
    </>
  );
}

function Provider() {
  const oidc = useGet<Oidc>("/oidc").data;
  if (!oidc?.enabled) return null;
  return (
    <Card title={oidc.label ?? "OpenID"}>
      <p class="muted">Link your account there, and you may log in with it here.</p>
      <a class="button plain" href="/api/v1/oidc/login?link=true&next=/account">
        Link {oidc.label}
      </a>
    </Card>
  );
}

export function AccountPage(_: { params: Params }) {
  const who = useStore(me);
  const tokens: Tokens = useGet<{ tokens: Token[] }>("/me/tokens");
  return (
    <Page title="Account">
      <div class="two-columns">
        <div class="column">
          <Card title="API tokens">
            <p class="muted">
              A program is you with one of these: <a href="/docs">the API</a>, <code>ctfy</code>, your own scripts. One
              for an agent, good for a single instance, is made where the instance is.
            </p>
            <NewToken tokens={tokens} />
            <Loaded from={tokens}>
              {(data) => <TokenTable tokens={tokens} rows={data.tokens.filter(({ name }) => name !== SESSION)} />}
            </Loaded>
          </Card>
          <Card title="Sessions">
            <Loaded from={tokens}>
              {(data) => <SessionTable tokens={tokens} rows={data.tokens.filter(({ name }) => name === SESSION)} />}
            </Loaded>
          </Card>
        </div>
        <div class="column side">
          <Card title="You">
            {who && (
              <Facts
                rows={[
                  ["Name", who.name],
                  ["Role", who.role],
                  ["Team", who.team ? <TeamLink id={who.team.id} name={who.team.name} /> : "none yet"],
                  ["Since", formatDate(who.created_at)],
                ]}
              />
            )}
          </Card>
          <Password />
          <Provider />
        </div>
      </div>
    </Page>
  );
}
