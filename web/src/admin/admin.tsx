// SPDX-License-Identifier: Apache-2.0
import type { ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { match, type Params } from "../router";
import { Empty, Page } from "../ui";
import { ArchivesPage } from "./archives";
import { AuditPage } from "./audit";
import { ChallengesPage } from "./challenges";
import { CheckPage } from "./check";
import { ChecksPage } from "./checks";
import { CompetitionsPage } from "./competitions";
import { ImagesPage } from "./images";
import { InstancePage } from "./instance";
import { InstancesPage } from "./instances";
import { NodesPage } from "./nodes";
import { OverviewPage } from "./overview";
import { TeamsPage, UsersPage } from "./people";
import { ReviewsPage } from "./reviews";
import { SubmissionsPage } from "./submissions";

interface Place {
  path: string;
  page: ComponentType<{ params: Params }>;
  name?: string;
}

const PLACES: Place[] = [
  { path: "/admin", page: OverviewPage, name: "At a glance" },
  { path: "/admin/instances", page: InstancesPage, name: "Instances" },
  { path: "/admin/instances/:id", page: InstancePage },
  { path: "/admin/archives", page: ArchivesPage, name: "Archives" },
  { path: "/admin/nodes", page: NodesPage, name: "Nodes" },
  { path: "/admin/images", page: ImagesPage, name: "Images" },
  { path: "/admin/challenges", page: ChallengesPage, name: "Challenges" },
  { path: "/admin/checks", page: ChecksPage, name: "Checks" },
  { path: "/admin/checks/:id", page: CheckPage },
  { path: "/admin/submissions", page: SubmissionsPage, name: "Submissions" },
  { path: "/admin/reviews", page: ReviewsPage, name: "Reviews" },
  { path: "/admin/teams", page: TeamsPage, name: "Teams" },
  { path: "/admin/users", page: UsersPage, name: "Users" },
  { path: "/admin/competitions", page: CompetitionsPage, name: "Competitions" },
  { path: "/admin/audit", page: AuditPage, name: "Audit log" },
];

function isHere(place: Place, path: string) {
  return match(place.path, path) !== null || (place.path !== "/admin" && path.startsWith(`${place.path}/`));
}

function Current({ path }: { path: string }) {
  for (const { path: pattern, page: Found } of PLACES) {
    const params = match(pattern, path);
    if (params) return <Found params={params} key={path} />;
  }
  return (
    <Page title="Not found">
      <Empty title="There is no such page." />
    </Page>
  );
}

export function Admin({ path }: { path: string }) {
  const nav = useRef<HTMLElement>(null);
  // On a small screen it is wider than that.
  useEffect(() => {
    const here = nav.current?.querySelector<HTMLElement>("[aria-current]");
    if (here) nav.current!.scrollLeft = here.offsetLeft - nav.current!.clientWidth / 2 + here.clientWidth / 2;
  }, [path]);
  return (
    <div class="organise">
      <nav class="places" aria-label="Organise" ref={nav}>
        {PLACES.filter((place) => place.name).map((place) => (
          <a key={place.path} href={place.path} aria-current={isHere(place, path) ? "page" : undefined}>
            {place.name}
          </a>
        ))}
      </nav>
      <div class="place">
        <Current path={path} />
      </div>
    </div>
  );
}
