// SPDX-License-Identifier: Apache-2.0
import { useMemo, useState } from "preact/hooks";
import { me } from "../api";
import { CompetitionClock, useCompetition } from "../competition";
import { useEvent } from "../events";
import { capitalised, formatDate, plural } from "../format";
import { useGet } from "../resource";
import type { Params } from "../router";
import { hasWords, SearchBox } from "../search";
import { useStore } from "../store";
import type { Challenge, InstanceStatus } from "../types";
import { Alert, Badge, Empty, Loaded, Page, type Tone } from "../ui";

const REFRESH_MS = 10000;

/* Before it begins. */
const FORBIDDEN = 403;

export const STATUS_TONE: Record<InstanceStatus, Tone> = {
  starting: "busy",
  running: "ok",
  stopping: "busy",
  stopped: "plain",
  expired: "plain",
  failed: "bad",
};

function byCategory(challenges: Challenge[]): [string, Challenge[]][] {
  const groups = new Map<string, Challenge[]>();
  for (const challenge of challenges) {
    const category = categoryOf(challenge);
    groups.set(category, [...(groups.get(category) ?? []), challenge]);
  }
  return [...groups].sort(([a], [b]) => a.localeCompare(b));
}

/** How far others are with it, and what there is to know besides: a line each. */
function describeState(c: Challenge): [string, string | null] {
  if (c.needs) return [`Opens with ${c.needs.name}`, null];
  const closes = c.closes_at && !c.solved ? `Until ${formatDate(c.closes_at)}` : null;
  if (c.solvers === 0 && !c.first_blood) return ["Not solved yet", closes];
  return [plural(c.solvers, "solve"), closes ?? (c.first_blood && `${c.first_blood.name} first`)];
}

function ChallengeCard({ challenge: c }: { challenge: Challenge }) {
  const partly = !c.solved && c.questions_solved > 0;
  const [state, more] = describeState(c);
  return (
    <li>
      <a
        class={`challenge ${c.solved ? "solved" : ""} ${c.needs ? "locked" : ""}`}
        href={`/challenges/${encodeURIComponent(c.needs?.id ?? c.id)}`}
      >
        <span class="challenge-top">
          <span class="challenge-name">{c.name}</span>
          <span class="value">{c.value}</span>
        </span>
        <span class="challenge-tags">
          {c.tags.map((tag) => (
            <span class="tag" key={tag}>
              {tag}
            </span>
          ))}
        </span>
        <span class="challenge-foot">
          <span class="challenge-solves">
            {state}
            {more && <span>{more}</span>}
          </span>
          {c.solved && <Badge tone="ok">Solved</Badge>}
          {partly && (
            <Badge tone="accent">
              {c.questions_solved} of {c.questions}
            </Badge>
          )}
          {c.instance && <Badge tone={STATUS_TONE[c.instance.status]}>{c.instance.status}</Badge>}
        </span>
      </a>
    </li>
  );
}

/** What is shown: of which category (null: of each), with which words, and whether it may be solved. */
interface Choice {
  words: string;
  category: string | null;
  open: boolean;
}

const EVERYTHING: Choice = { words: "", category: null, open: false };

const categoryOf = (challenge: Challenge) => challenge.category || "misc";

const isChosen = (c: Challenge, { words, category, open }: Choice) =>
  hasWords([c.name, c.id, c.category, ...c.tags], words) && (category === null || categoryOf(c) === category) && !(open && c.solved);

function Categories({ names, choice, onChoice }: { names: string[]; choice: Choice; onChoice: (to: Choice) => void }) {
  return (
    <div class="chips" role="group" aria-label="Category">
      {[null, ...names].map((name) => (
        <button
          type="button"
          key={name ?? ""}
          class="chip"
          aria-pressed={choice.category === name}
          onClick={() => onChoice({ ...choice, category: name })}
        >
          {name ?? "All"}
        </button>
      ))}
    </div>
  );
}

function Filters(props: { categories: string[]; choice: Choice; onChoice: (to: Choice) => void }) {
  const { categories, choice, onChoice } = props;
  return (
    <div class="filters" role="search">
      <SearchBox
        label="Search challenges"
        placeholder="Search by name, category or tag"
        words={choice.words}
        onWords={(words) => onChoice({ ...choice, words })}
      />
      {categories.length > 1 && <Categories names={categories} choice={choice} onChoice={onChoice} />}
      <label class="check">
        <input
          type="checkbox"
          checked={choice.open}
          onChange={(event) => onChoice({ ...choice, open: event.currentTarget.checked })}
        />
        Only what is left to solve
      </label>
    </div>
  );
}

function Groups({ challenges }: { challenges: Challenge[] }) {
  const groups = useMemo(() => byCategory(challenges), [challenges]);
  return (
    <>
      {groups.map(([category, members]) => (
        <section class="category" key={category} aria-labelledby={`category-${category}`}>
          <h2 id={`category-${category}`}>
            {category}
            <span class="count">
              {members.filter((c) => c.solved).length} of {members.length}
            </span>
          </h2>
          <ul class="challenges">
            {members.map((c) => (
              <ChallengeCard key={c.id} challenge={c} />
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

function Selection({ challenges }: { challenges: Challenge[] }) {
  const [choice, setChoice] = useState(EVERYTHING);
  const categories = [...new Set(challenges.map(categoryOf))].sort();
  const selected = challenges.filter((c) => isChosen(c, choice));
  if (challenges.length === 0)
    return <Empty title="No challenges yet.">They appear here as soon as there are some.</Empty>;
  return (
    <>
      <Filters categories={categories} choice={choice} onChoice={setChoice} />
      {selected.length > 0 ? (
        <Groups challenges={selected} />
      ) : (
        <Empty title="Nothing fits.">Try fewer words, or look at all of them.</Empty>
      )}
    </>
  );
}

export function ChallengesPage(_: { params: Params }) {
  const list = useGet<{ challenges: Challenge[] }>("/challenges", REFRESH_MS);
  useEvent("scoreboard", list.reload);
  const who = useStore(me);
  const challenges = list.data?.challenges ?? [];
  const competition = useCompetition();
  const lead = (
    <span class="lead-facts">
      {list.data && <span>{`${challenges.filter((c) => c.solved).length} of ${challenges.length} solved`}</span>}
      <CompetitionClock competition={competition} />
    </span>
  );
  return (
    <Page title="Challenges" lead={lead}>
      {who && !who.team && (
        <Alert tone="accent">
          You have no team yet: <a href="/team">make one or join one</a> to start instances and hand in flags.
        </Alert>
      )}
      {list.error?.status === FORBIDDEN ? (
        <Empty title={`${capitalised(list.error.message)}.`}>The challenges appear here by themselves.</Empty>
      ) : (
        <Loaded from={list} lines={8}>
          {(data) => <Selection challenges={data.challenges} />}
        </Loaded>
      )}
    </Page>
  );
}
