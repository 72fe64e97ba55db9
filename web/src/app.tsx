// SPDX-License-Identifier: Apache-2.0
import type { ComponentChildren, ComponentType } from "preact";
import { useEffect, useErrorBoundary, useState } from "preact/hooks";
import { ApiError, isOrganiser, learnMe, logout, me } from "./api";
import { lazy } from "./lazy";
import { LoginPage, RegisterPage } from "./pages/login";
import { ChallengePage } from "./pages/challenge";
import { ChallengesPage } from "./pages/challenges";
import { NewsPage, Toasts } from "./pages/news";
import { ScoreboardPage } from "./pages/scoreboard";
import { location_, match, navigate, type Params, type Route } from "./router";
import { useStore } from "./store";
import { Announcer, Empty, Failure, Page, Skeleton } from "./ui";
import { ThemeButton } from "./theme-button";

type PageComponent = ComponentType<{ params: Params }>;

const TeamRecordPage = lazy<{ params: Params }>(async () => (await import("./pages/team-record")).TeamRecordPage);
const TeamPage = lazy<{ params: Params }>(async () => (await import("./pages/team")).TeamPage);
const AccountPage = lazy<{ params: Params }>(async () => (await import("./pages/account")).AccountPage);
const Admin = lazy<{ path: string }>(async () => (await import("./admin/admin")).Admin);

function Home() {
  const who = useStore(me);
  useEffect(() => {
    if (who !== undefined) navigate(who ? "/challenges" : "/login", { replace: true });
  }, [who]);
  return <Skeleton lines={5} />;
}

const OPEN: Route[] = [
  { path: "/", page: Home },
  { path: "/login", page: LoginPage },
  { path: "/register", page: RegisterPage },
  { path: "/scoreboard", page: ScoreboardPage },
  { path: "/teams/:id", page: TeamRecordPage },
];

const PLAYERS: Route[] = [
  { path: "/challenges", page: ChallengesPage },
  { path: "/challenges/:id", page: ChallengePage },
  { path: "/team", page: TeamPage },
  { path: "/account", page: AccountPage },
  { path: "/news", page: NewsPage },
];

function find(routes: Route[], path: string): [PageComponent, Params] | null {
  for (const route of routes) {
    const params = match(route.path, path);
    if (params) return [route.page, params];
  }
  return null;
}

function NotFound() {
  return (
    <Page title="Not found">
      <Empty title="There is no such page.">
        <a href="/">Go to the start</a>
      </Empty>
    </Page>
  );
}

/** Shows its content to those who are logged in, and the way in to the others. */
function Members({ children }: { children: ComponentChildren }) {
  const who = useStore(me);
  if (who === undefined) return <Skeleton lines={5} />;
  return who ? <>{children}</> : <LoginPage params={{}} />;
}

function Current({ path }: { path: string }) {
  const who = useStore(me);
  const open = find(OPEN, path);
  const player = find(PLAYERS, path);
  if (open) {
    const [Open, params] = open;
    return <Open params={params} key={path} />;
  }
  if (player) {
    const [Player, params] = player;
    return (
      <Members>
        <Player params={params} key={path} />
      </Members>
    );
  }
  if (path === "/admin" || path.startsWith("/admin/"))
    return <Members>{isOrganiser(who) ? <Admin path={path} /> : <NotFound />}</Members>;
  return <NotFound />;
}

function NavLink({ to, path, children }: { to: string; path: string; children: ComponentChildren }) {
  const here = path === to || path.startsWith(`${to}/`);
  return (
    <a href={to} aria-current={here ? "page" : undefined}>
      {children}
    </a>
  );
}

function Header({ path }: { path: string }) {
  const who = useStore(me);
  const leave = async () => {
    await logout().catch((error: unknown) => {
      if (!(error instanceof ApiError)) throw error;
    });
    navigate("/login");
  };
  return (
    <header class="top">
      <div class="top-inner">
        <a class="brand" href="/">
          <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
            <rect width="32" height="32" rx="8" />
            <path d="M10 25V7.5M10 8.5h12.5l-3.6 4.5 3.6 4.5H10" />
          </svg>
          ctfy
        </a>
        <nav aria-label="Main">
          {who && (
            <NavLink to="/challenges" path={path}>
              Challenges
            </NavLink>
          )}
          <NavLink to="/scoreboard" path={path}>
            Scoreboard
          </NavLink>
          {who && (
            <NavLink to="/team" path={path}>
              Team
            </NavLink>
          )}
          {who && (
            <NavLink to="/news" path={path}>
              News
            </NavLink>
          )}
          {isOrganiser(who) && (
            <NavLink to="/admin" path={path}>
              Organise
            </NavLink>
          )}
        </nav>
        <div class="top-end">
          <ThemeButton />
          {who && (
            <>
              <a
                class="who"
                href="/account"
                aria-current={path === "/account" ? "page" : undefined}
              >
                <span class="avatar" aria-hidden="true">
                  {[...who.name][0]?.toUpperCase()}
                </span>
                <span class="who-name">{who.name}</span>
              </a>
              <button type="button" class="button quiet" onClick={leave}>
                Log out
              </button>
            </>
          )}
          {who === null && (
            <a class="button plain" href="/login">
              Log in
            </a>
          )}
        </div>
      </div>
    </header>
  );
}

/** A page that fails takes no other with it. */
function Guarded({ path }: { path: string }) {
  const [error, recover] = useErrorBoundary((failure) => console.error(failure));
  useEffect(() => recover(), [path]);
  if (!error) return <Current path={path} />;
  return (
    <Page title="This page failed">
      <Failure error={`It is our mistake, not yours: ${error}. Load the page again, or go on to another.`} />
    </Page>
  );
}

/** Asks who we are; where the platform doesn't answer, until it does. */
function useWho(): string | null {
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => {
    let timer = 0;
    const ask = async () => {
      try {
        await learnMe();
        setFailure(null);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        setFailure(error.message);
        timer = window.setTimeout(ask, 2000);
      }
    };
    void ask();
    return () => window.clearTimeout(timer);
  }, []);
  return failure;
}

export function App() {
  const path = useStore(location_);
  const failure = useWho();
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <Header path={path} />
      <main id="main">
        <Failure error={failure} />
        <Guarded path={path} />
      </main>
      <Toasts />
      <Announcer />
    </>
  );
}
