// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { call, me } from "../api";
import { formatDate, plural } from "../format";
import { useAction, useGet, type Resource } from "../resource";
import type { Params } from "../router";
import { hasWords, SearchBox } from "../search";
import { useStore } from "../store";
import type { TeamLine, User } from "../types";
import { Badge, Button, Card, Empty, Failure, Loaded, Page, Table, TeamLink, TextField, announce } from "../ui";
import { BulkCard } from "./bulk";

const ROLES = ["player", "organiser", "admin"];

type Users = Resource<{ users: User[] }>;

function NewUser({ users }: { users: Users }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const creation = useAction(async () => {
    await call("POST", "/admin/users", { name, password });
    announce(`The account ${name} is made`);
    setName("");
    setPassword("");
    await users.reload();
  });
  return (
    <Card title="Make an account">
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void creation.run();
        }}
      >
        <TextField label="Name" value={name} onText={setName} autocomplete="off" required />
        <TextField
          label="Password"
          type="password"
          value={password}
          onText={setPassword}
          autocomplete="new-password"
          minLength={8}
          required
        />
        <Failure error={creation.error} />
        <Button type="submit" busy={creation.busy}>
          Make it
        </Button>
      </form>
    </Card>
  );
}

function UserTable({ users, rows }: { users: Users; rows: User[] }) {
  const who = useStore(me);
  const change = useAction(async (user: User, body: { role?: string; disabled?: boolean }) => {
    await call("PATCH", `/admin/users/${encodeURIComponent(user.id)}`, body);
    await users.reload();
    announce(`${user.name} is changed`);
  });
  const may = who?.role === "admin";
  return (
    <>
      <Failure error={change.error} />
      <Table
        label="Users"
        rows={rows}
        rowKey={(row) => row.id}
        columns={[
          { name: "Name", kind: "wide", cell: (row) => row.name },
          {
            name: "Role",
            cell: (row) =>
              may ? (
                <select
                  aria-label={`Role of ${row.name}`}
                  value={row.role}
                  disabled={change.busy}
                  onChange={(event) => void change.run(row, { role: event.currentTarget.value })}
                >
                  {ROLES.map((role) => (
                    <option key={role} value={role}>
                      {role}
                    </option>
                  ))}
                </select>
              ) : (
                row.role
              ),
          },
          {
            name: "State",
            cell: (row) => (row.disabled ? <Badge tone="bad">disabled</Badge> : <Badge tone="ok">enabled</Badge>),
          },
          { name: "Since", kind: "time", cell: (row) => formatDate(row.created_at) },
          {
            name: "Change",
            cell: (row) =>
              may && (
                <Button
                  kind="quiet"
                  busy={change.busy}
                  aria-label={`${row.disabled ? "Enable" : "Disable"} ${row.name}`}
                  onClick={() => void change.run(row, { disabled: !row.disabled })}
                >
                  {row.disabled ? "Enable" : "Disable"}
                </Button>
              ),
          },
        ]}
        empty={<Empty title="Nobody fits." />}
      />
    </>
  );
}

export function UsersPage(_: { params: Params }) {
  const who = useStore(me);
  const [words, setWords] = useState("");
  const users: Users = useGet<{ users: User[] }>("/admin/users");
  return (
    <Page title="Users" lead={users.data ? plural(users.data.users.length, "account") : " "}>
      <div class="two-columns">
        <div class="column">
          <SearchBox label="Search users" placeholder="Name or role" words={words} onWords={setWords} />
          <Loaded from={users}>
            {(data) => (
              <UserTable users={users} rows={data.users.filter((row) => hasWords([row.name, row.role], words))} />
            )}
          </Loaded>
        </div>
        <div class="column side">
          <NewUser users={users} />
          {who?.role === "admin" && <BulkCard what="users" onDone={users.reload} />}
        </div>
      </div>
    </Page>
  );
}

export function TeamsPage(_: { params: Params }) {
  const [words, setWords] = useState("");
  const teams = useGet<{ teams: TeamLine[] }>("/admin/teams");
  const change = useAction(async (team: TeamLine) => {
    await call("PATCH", `/admin/teams/${encodeURIComponent(team.id)}`, { hidden: !team.hidden });
    await teams.reload();
    announce(`${team.name} is changed`);
  });
  return (
    <Page title="Teams" lead={teams.data ? plural(teams.data.teams.length, "team") : " "}>
      <div class="filters" role="search">
        <SearchBox label="Search teams" placeholder="Name, division or id" words={words} onWords={setWords} />
      </div>
      <div class="column">
        <Failure error={change.error} />
        <Loaded from={teams}>
          {(data) => (
            <Table
              label="Teams"
              rows={data.teams.filter((row) => hasWords([row.name, row.id, row.division], words))}
              rowKey={(row) => row.id}
              columns={[
                { name: "Name", kind: "wide", cell: (row) => (row.hidden ? row.name : <TeamLink id={row.id} name={row.name} />) },
                { name: "Id", cell: (row) => <span class="mono-cell id">{row.id}</span> },
                { name: "Division", kind: "short", cell: (row) => row.division ?? "–" },
                {
                  name: "On the board",
                  cell: (row) => (row.hidden ? <Badge tone="warn">hidden</Badge> : <Badge tone="ok">shown</Badge>),
                },
                { name: "Made", kind: "time", cell: (row) => formatDate(row.created_at) },
                {
                  name: "Change",
                  cell: (row) => (
                    <Button
                      kind="quiet"
                      busy={change.busy}
                      aria-label={`${row.hidden ? "Show" : "Hide"} ${row.name}`}
                      onClick={() => void change.run(row)}
                    >
                      {row.hidden ? "Show" : "Hide"}
                    </Button>
                  ),
                },
              ]}
              empty={<Empty title={words ? "Nothing fits." : "There are no teams."} />}
            />
          )}
        </Loaded>
        <BulkCard what="teams" onDone={teams.reload} />
      </div>
    </Page>
  );
}
