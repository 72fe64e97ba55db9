// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { call, serverNow } from "../api";
import { formatAgo, formatDate } from "../format";
import { useAction, useGet, useNow, type Resource } from "../resource";
import type { JoinSecret } from "../types";
import { Alert, Button, Card, ConfirmButton, Empty, Failure, Loaded, Paste, Table, TextField, type Column } from "../ui";

type Secrets = Resource<{ join_secrets: JoinSecret[] }>;

/** What makes a machine with Docker and ctfy a node; README.md has the same for the platform's own secret. */
const joinCommands = (secret: string) =>
  [
    "install -d -m 0700 /etc/ctfy && umask 077",
    `printf '%s\\n' '${secret}' > /etc/ctfy/join-secret`,
    "ctfy doctor",
    `ctfy join "$(hostname)" "http://$(hostname -f):7070" --url ${window.location.origin} \\`,
    "     --join-secret-file /etc/ctfy/join-secret --node-token-file /etc/ctfy/node-token",
    'ctfy node --listen 0.0.0.0:7070 --public-host "$(hostname -f)" --token-file /etc/ctfy/node-token \\',
    "     --challenges /srv/ctfy/challenges --state /var/lib/ctfy-node",
  ].join("\n");

function NewSecret({ secrets }: { secrets: Secrets }) {
  const [name, setName] = useState("");
  const [days, setDays] = useState("7");
  const [single, setSingle] = useState(true);
  const [nodes, setNodes] = useState("");
  const [fresh, setFresh] = useState<string | null>(null);
  const creation = useAction(async () => {
    const made = await call<{ join_secret: string }>("POST", "/admin/join-secrets", {
      name,
      single_use: single,
      ...(days && { days: Number(days) }),
      ...(!single && nodes.trim() && { nodes: nodes.trim().split(/\s+/) }),
    });
    setFresh(made.join_secret);
    setName("");
    await secrets.reload();
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
        <TextField label="Whom it is for" value={name} onText={setName} autocomplete="off" required />
        <TextField
          label="Days"
          type="number"
          min={1}
          max={3650}
          placeholder="for ever"
          value={days}
          onText={setDays}
        />
        <label class="check">
          <input type="checkbox" checked={single} onChange={(event) => setSingle(event.currentTarget.checked)} />
          One node only
        </label>
        {!single && (
          <TextField
            label="Names of its nodes"
            hint="rack-1 rack-2, or rack-*. Else only the first that joins."
            value={nodes}
            onText={setNodes}
            autocomplete="off"
          />
        )}
        <Button type="submit" busy={creation.busy}>
          Make a secret
        </Button>
      </form>
      <Failure error={creation.error} />
      {fresh && (
        <Alert tone="ok">
          The secret is told only once. On a machine with Docker, ctfy and the same challenge folders, as root:
          <Paste text={joinCommands(fresh)} label="commands to join" />
        </Alert>
      )}
    </>
  );
}

function describeUse(secret: JoinSecret, now: number): string {
  if (!secret.used_at) return "not yet";
  return `by ${secret.used_by ?? "a node"}, ${formatAgo(secret.used_at, now)}`;
}

function describeNodes(secret: JoinSecret): string {
  if (secret.nodes.length > 0) return `${secret.nodes.join(" ")}${secret.single_use ? ", once" : ""}`;
  return "the first node that joins";
}

function SecretTable({ secrets, rows }: { secrets: Secrets; rows: JoinSecret[] }) {
  const now = useNow(serverNow, 5000);
  const revocation = useAction(async (id: string) => {
    await call("DELETE", `/admin/join-secrets/${encodeURIComponent(id)}`);
    await secrets.reload();
  });
  const columns: Column<JoinSecret>[] = [
    { name: "For", kind: "wide", cell: (row) => row.name || "–" },
    { name: "Good for", kind: "short", cell: (row) => describeNodes(row) },
    { name: "Used", kind: "short", cell: (row) => describeUse(row, now) },
    { name: "Ends", kind: "time", cell: (row) => (row.expires_at ? formatDate(row.expires_at) : "never") },
    {
      name: "",
      cell: (row) => (
        <ConfirmButton
          kind="quiet"
          label="Revoke"
          question={`Revoke the join secret for "${row.name}"? Nodes that have joined with it stay.`}
          busy={revocation.busy}
          onConfirm={() => void revocation.run(row.id)}
        />
      ),
    },
  ];
  return (
    <>
      <Failure error={revocation.error} />
      <Table
        label="Join secrets"
        rows={rows}
        rowKey={(row) => row.id}
        columns={columns}
        empty={<Empty title="None was made.">The platform's own is in its state directory, as join-secret.</Empty>}
      />
    </>
  );
}

/** Secrets that nodes join with, besides the platform's own. */
export function JoinSecrets() {
  const secrets: Secrets = useGet<{ join_secrets: JoinSecret[] }>("/admin/join-secrets");
  return (
    <Card title="Let another node join">
      <NewSecret secrets={secrets} />
      <Loaded from={secrets}>{(data) => <SecretTable secrets={secrets} rows={data.join_secrets} />}</Loaded>
    </Card>
  );
}
