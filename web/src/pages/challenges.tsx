import { useMemo, useState } from "preact/hooks";
import { me } from "../api";
import { useEvent } from "../events";
import { formatDate, plural } from "../format";
import { useGet } from "../resource";
import type { Params } from "../router";
import { useStore } from "../store";
import type { Challenge, InstanceStatus } from "../types";
import { Alert, Badge, Empty, Loaded, Page, type Tone } from "../ui";

const REFRESH_MS = 10000;

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
    const category = challenge.category || "misc";
    groups.set(category, [...(groups.get(category) ?? []), challenge]);
  }
  return [...groups].sort(([a], [b]) => a.localeCompare(b));
}

function fits(challenge: Challenge, words: string) {
  const text = [challenge.name, challenge.id, challenge.category, ...challenge.tags].join(" ").toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function ChallengeCard({ challenge: c }: { challenge: Challenge }) {
  const partly = !c.solved && c.questions_solved > 0;
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
          <span>
            {c.needs
              ? `Opens with ${c.needs.name}`
              : c.closes_at && !c.solved
                ? `Until ${formatDate(c.closes_at)}`
                : c.solvers === 0
                  ? "Not solved yet"
                  : plural(c.solvers, "solve")}
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

function Filters(props: {
  words: string;
  onWords: (words: string) => void;
  open: boolean;
  onOpen: (open: boolean) => void;
}) {
  return (
    <div class="filters" role="search">
      <input
        type="search"
        aria-label="Search challenges"
        placeholder="Search by name, category or tag"
        value={props.words}
        onInput={(event) => props.onWords(event.currentTarget.value)}
      />
      <label class="check">
        <input
          type="checkbox"
          checked={props.open}
          onChange={(event) => props.onOpen(event.currentTarget.checked)}
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
  const [words, setWords] = useState("");
  const [open, setOpen] = useState(false);
  const selected = challenges.filter((c) => fits(c, words) && !(open && c.solved));
  if (challenges.length === 0)
    return <Empty title="No challenges yet.">They appear here as soon as there are some.</Empty>;
  return (
    <>
      <Filters words={words} onWords={setWords} open={open} onOpen={setOpen} />
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
  const lead = list.data ? `${challenges.filter((c) => c.solved).length} of ${challenges.length} solved` : " ";
  return (
    <Page title="Challenges" lead={lead}>
      {who && !who.team && (
        <Alert tone="accent">
          You have no team yet: <a href="/team">make one or join one</a> to start instances and hand in flags.
        </Alert>
      )}
      <Loaded from={list} lines={8}>
        {(data) => <Selection challenges={data.challenges} />}
      </Loaded>
    </Page>
  );
}
