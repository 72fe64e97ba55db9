// SPDX-License-Identifier: Apache-2.0
// What the platform tells, as far as pages use it.

export interface Me {
  id: string;
  name: string;
  role: "player" | "organiser" | "admin";
  created_at: string;
  team: { id: string; name: string } | null;
}

export interface Oidc {
  enabled: boolean;
  label: string | null;
}

export interface Endpoint {
  service: string;
  container_port: number;
  protocol: string;
  host: string;
  port: number;
  url: string | null;
  command: string;
}

export interface Service {
  service: string;
  state: string;
  health: string | null;
  exit_code: number | null;
  oom_killed: boolean;
  detail: string | null;
}

export type InstanceStatus = "starting" | "running" | "stopping" | "stopped" | "expired" | "failed";

export interface Instance {
  id: string;
  competition_id: string;
  challenge_id: string;
  status: InstanceStatus;
  detail: string | null;
  ttl: number;
  endpoints: Endpoint[];
  created_at: string;
  started_at: string | null;
  expires_at: string | null;
  ended_at: string | null;
  is_healthy?: boolean;
  services?: Service[];
  phase?: string | null;
  queue_position?: number;
  eta_ms?: number;
  eta_p95_ms?: number;
}

export interface Challenge {
  id: string;
  name: string;
  category: string | null;
  value: number;
  solvers: number;
  first_blood: { id: string; name: string } | null;
  solved: boolean;
  questions: number;
  questions_solved: number;
  has_instance: boolean;
  tags: string[];
  closes_at: string | null;
  needs: { id: string; name: string } | null;
  instance: Instance | null;
}

export interface Question {
  id: string;
  text: string | null;
  value: number;
  solved: boolean;
}

export interface Hint {
  index: number;
  unlocked: boolean;
  cost: number;
  title: string | null;
  text: string | null;
  needs: number | null;
}

export interface ChallengePage extends Omit<Challenge, "questions"> {
  description: string | null;
  author: string | null;
  connection_info: string | null;
  attempts: number;
  questions: Question[];
  hints: Hint[];
  requires: string[];
}

export interface Verdict {
  verdict: "correct" | "repeated" | "wrong" | "held";
  question_id: string | null;
  value: number;
  first_blood: boolean | null;
}

export interface Standing {
  rank: number;
  team_id: string;
  team: string;
  division?: string | null;
  division_rank?: number;
  score: number;
  solved: number;
  last_solve_at: string | null;
}

export interface Scoreboard {
  competition_id: string;
  competition: string;
  frozen: boolean;
  teams: Standing[];
}

export interface Solve {
  challenge_id: string;
  challenge: string;
  category: string | null;
  question_id: string;
  value: number;
  first_blood: boolean;
  solved_at: string;
}

/** A team as the scoreboard shows it. */
export interface TeamRecord extends Standing {
  competition_id: string;
  competition: string;
  frozen: boolean;
  members: { name: string; captain: boolean }[];
  solves: Solve[];
  points: { at: string; score: number }[];
}

export interface Team {
  id: string;
  name: string;
  invite: string;
  captain_id: string;
  created_at: string;
  members: { id: string; name: string; joined_at: string }[];
}

export interface Division {
  id: string;
  name: string;
}

export interface Competition {
  id: string;
  name: string;
  description: string;
  starts_at: string | null;
  ends_at: string | null;
  freeze_at: string | null;
  registration: string;
  divisions?: Division[];
}

export interface ScoreHistory {
  teams: { rank: number; team_id: string; team: string; score: number; points: { at: string; score: number }[] }[];
}

export interface InstanceEvent {
  id: string;
  challenge_id: string;
  status: string;
  detail: string;
}

export interface Notice {
  id: string;
  text: string;
  at: string;
}

export interface ReviewSide {
  team_id: string;
  team: string;
  instance_id: string | null;
  created_at: string | null;
  started_at: string | null;
  ended_at: string | null;
  evidence: string | null;
}

export interface Review {
  submission_id: string;
  challenge_id: string;
  user: string;
  answer: string;
  review: "open" | "dismissed" | "confirmed";
  note: string | null;
  peer: string | null;
  submitted_at: string;
  by: ReviewSide;
  of: ReviewSide;
}

export interface Suspicion {
  reasons: string[];
  team_id: string;
  team: string;
  challenge_id: string;
  question_id: string;
  submission_id: string;
  solved_at: string;
  started_at: string | null;
  downloaded_at: string | null;
  instance_id: string | null;
}

export interface Submission {
  id: string;
  challenge_id: string;
  question_id: string | null;
  user_id: string;
  answer: string;
  verdict: string;
  submitted_at: string;
}

export interface Attachment {
  filename: string;
  size?: number;
}

export interface Token {
  id: string;
  name: string;
  scope: "player" | "organiser" | "admin" | "instance";
  instance_id: string | null;
  created_at: string;
  expires_at: string | null;
  current?: boolean;
}

export interface AdminInstance extends Instance {
  team_id: string;
  team: string | null;
  user_id: string;
  node_id: string | null;
  node: string | null;
  cause: string | null;
}

/** One of them, as its own page has it. */
export interface WholeInstance extends AdminInstance {
  user: string;
  copy_id: string;
  answered_questions: string[];
}

export interface Node {
  id: string;
  name: string;
  url: string;
  state: "healthy" | "degraded" | "lost";
  drained: boolean;
  detail: string | null;
  running: number;
  capacity: number;
  version: string | null;
  engine: string | null;
  seen_at: string | null;
  /** What an organiser should know, though it works. */
  warning?: string | null;
}

export interface JoinSecret {
  id: string;
  name: string;
  single_use: boolean;
  created_at: string;
  expires_at: string | null;
  used_at: string | null;
  used_by: string | null;
  nodes: string[];
}

export interface AdminSubmission extends Submission {
  team_id: string;
  team: string | null;
  instance_id: string | null;
  other_team_id: string | null;
  other_team: string | null;
  other_instance_id: string | null;
  peer: string | null;
}

export interface User {
  id: string;
  name: string;
  role: "player" | "organiser" | "admin";
  disabled?: boolean;
  created_at: string;
}

/** What became of one of many, or will. */
export interface BulkRow {
  id: string;
  name: string;
  outcome: string;
  created_at: string;
  submissions: number;
  instances: number;
}

export interface BulkReport {
  act: string;
  done: boolean;
  count: number;
  users?: BulkRow[];
  teams?: BulkRow[];
}

export interface TeamLine {
  id: string;
  name: string;
  division?: string | null;
  hidden?: boolean;
  captain_id: string;
  created_at: string;
}

export interface AuditEntry {
  id: string;
  user_id: string;
  user: string | null;
  action: string;
  object: string | null;
  note: string | null;
  status: number;
  peer: string | null;
  request_id: string | null;
  at: string;
}

export interface Container {
  container_id: string;
  name: string;
  service: string;
  role: "service" | "sidecar";
  image: string;
  state: string;
  health: string | null;
  created_at: string;
}

export interface TimelineEvent {
  at: string;
  event: string;
  service: string | null;
  detail: string | null;
}

export interface FlowBody {
  size: number;
  sha256: string;
  text?: string;
  base64?: string;
}

export interface FlowHeaders {
  name: string;
  value: string;
}

export interface Flow {
  id: string;
  started_at: string;
  duration_ms: number;
  client: string;
  server: string;
  via: string;
  request: {
    method: string;
    url: string;
    http_version: string;
    headers: FlowHeaders[];
    body: FlowBody | null;
  };
  response: {
    status: number;
    reason: string;
    http_version: string;
    headers: FlowHeaders[];
    body: FlowBody | null;
  } | null;
  error: string | null;
}

export interface Rescan {
  total: number;
  added: string[];
  removed: string[];
  changed: string[];
  errors: { path: string; detail: string }[];
  unstartable?: { path: string; detail: string }[];
}

export interface ImageRow {
  challenge_id: string;
  status: string;
  error: string | null;
  image?: string | null;
  step?: number;
  steps?: number;
  bytes?: number;
  bytes_total?: number;
  position?: number;
}

export interface NodeImages {
  node_id: string;
  node: string;
  detail?: string | null;
  images?: { builds: ImageRow[]; pulls: ImageRow[] };
}

export interface Archive {
  id: string;
  instance_id: string;
  team_id: string;
  team: string | null;
  challenge_id: string;
  status: "owed" | "kept" | "failed";
  detail: string | null;
  size: number;
  ended_at: string;
  archived_at: string | null;
  files: { name: string; size: number }[];
}

export interface Problem {
  kind: "error" | "warning" | "policy";
  file: string | null;
  line: number;
  column: number;
  key: string | null;
  message: string;
  opt_in: string | null;
  allows: string | null;
}

export interface Lint {
  path: string;
  id: string | null;
  dialect: string | null;
  outcome: "fine" | "policy" | "faulty";
  problems: Problem[];
}

export interface Trial {
  challenge_id: string;
  outcome: "untried" | "running" | "solved" | "healthy" | "question" | "failed";
  step: string | null;
  detail: string | null;
  steps: { step: string; ms: number }[];
  answers: { question: string; found: boolean }[];
  output: string | null;
  started_at: string | null;
  ended_at: string | null;
}

export interface NodeTrial {
  node_id: string;
  node: string;
  trial: Trial;
}
