// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "preact/hooks";
import { call, login, me } from "../api";
import { useAction, useGet } from "../resource";
import { navigate, type Params } from "../router";
import { useStore } from "../store";
import type { Oidc } from "../types";
import { Button, Failure, Page, TextField } from "../ui";

const isWayIn = (path: string) => path === "/login" || path === "/register" || path === "/";

/** Where to go once logged in: what was asked for, unless that was the way in itself. */
function goOn() {
  if (isWayIn(window.location.pathname)) navigate("/challenges");
}

/** The other way in, where there is one. */
function ProviderLogin() {
  const oidc = useGet<Oidc>("/oidc").data;
  const path = window.location.pathname;
  if (!oidc?.enabled) return null;
  return (
    <a
      class="button plain"
      href={`/api/v1/oidc/login?next=${encodeURIComponent(isWayIn(path) ? "/challenges" : path)}`}
    >
      Log in with {oidc.label}
    </a>
  );
}

function useLeaveWhenIn() {
  const who = useStore(me);
  useEffect(() => {
    if (who) goOn();
  }, [who]);
}

export function LoginPage(_: { params: Params }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const entry = useAction(() => login(name, password));
  useLeaveWhenIn();
  return (
    <div class="door">
      <Page title="Log in" />
      <form
        class="card form"
        onSubmit={(event) => {
          event.preventDefault();
          void entry.run();
        }}
      >
        <TextField label="Name" value={name} onText={setName} autocomplete="username" required />
        <TextField
          label="Password"
          type="password"
          value={password}
          onText={setPassword}
          autocomplete="current-password"
          required
        />
        <Failure error={entry.error} />
        <Button kind="primary" type="submit" busy={entry.busy}>
          Log in
        </Button>
        <ProviderLogin />
      </form>
      <p class="door-else">
        New here? <a href="/register">Make an account</a>
      </p>
    </div>
  );
}

export function RegisterPage(_: { params: Params }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const entry = useAction(async () => {
    await call("POST", "/users", { name, password });
    await login(name, password);
    navigate("/team");
  });
  return (
    <div class="door">
      <Page title="Make an account" />
      <form
        class="card form"
        onSubmit={(event) => {
          event.preventDefault();
          void entry.run();
        }}
      >
        <TextField
          label="Name"
          hint="Others see it on the scoreboard and in your team."
          value={name}
          onText={setName}
          autocomplete="username"
          required
        />
        <TextField
          label="Password"
          hint="At least 8 characters."
          type="password"
          value={password}
          onText={setPassword}
          autocomplete="new-password"
          minLength={8}
          required
        />
        <Failure error={entry.error} />
        <Button kind="primary" type="submit" busy={entry.busy}>
          Make the account
        </Button>
      </form>
      <p class="door-else">
        You have one? <a href="/login">Log in</a>
      </p>
    </div>
  );
}
