import type { Decision, Reason, StatementFailure, TrailEntry } from './decision.ts';
import { type SmallestChange, smallestChange } from './smallest-change.ts';

/** One question to the policy engine, as it is kept. */
export interface PolicyStep {
  readonly step: 'policies';
  readonly action: string;
  readonly resource: string;
  readonly allowed: boolean;
  readonly reason: Reason;
  /** Every statement and grant looked at, in order, as far as there is room. */
  readonly trail: readonly TrailEntry[];
  /** Position in `trail`; null: the decision is that nothing allows. */
  readonly deciding: number | null;
  /** How many entries of the trail, none of which matched, were left out. */
  readonly omitted: number;
  /** Of a denial: after it the call is allowed. */
  readonly change: SmallestChange | null;
}

/** What was looked at on the way to an answer. */
export type DecisionStep =
  | PolicyStep
  /** `keyState` is that in which the key was found. */
  | { readonly step: 'key-state'; readonly keyArn: string; readonly keyState: string; readonly allowed: boolean }
  /** A limit that was reached. */
  | { readonly step: 'quota'; readonly message: string }
  /** Any other rule by which the call was refused. */
  | { readonly step: 'rule'; readonly code: string; readonly message: string };

/** How one request came to be allowed or refused: data, kept with the request's id. It holds no secrets. */
export interface DecisionRecord {
  /** UUID; a record that is sent twice is kept once. */
  readonly decisionId: string;
  /** What the caller got as `x-amzn-RequestId`; calls that EC2 makes for it later have the same. */
  readonly requestId: string;
  /** ISO-8601. */
  readonly at: string;
  /** As in the endpoint's name: `ec2`, `kms`, … */
  readonly service: string;
  readonly operation: string;
  readonly accountId: string;
  readonly region: string;
  readonly principalArn: string;
  /** On whose behalf the caller's call came: `ec2.<region>.amazonaws.com`. */
  readonly viaService: string | null;
  readonly allowed: boolean;
  /** The refusal in AWS's words, as whoever made the call got it. */
  readonly refusal: { readonly code: string; readonly message: string } | null;
  /** Ids and ARNs by which it can be found: volumes, snapshots, instances, images, keys. */
  readonly resources: readonly string[];
  /** In order; the last one decided. */
  readonly steps: readonly DecisionStep[];
}

const MAX_ENTRIES = 60;
const MAX_VALUES = 8;
const MAX_CHARACTERS = 256;

const shortened = (values: readonly string[]): string[] =>
  values.slice(0, MAX_VALUES).map((value) => value.slice(0, MAX_CHARACTERS));

const shortFailure = (failed: StatementFailure | null): StatementFailure | null =>
  failed?.element === 'Condition'
    ? { ...failed, wanted: shortened(failed.wanted), given: shortened(failed.given) }
    : failed;

const shortEntry = (entry: TrailEntry): TrailEntry =>
  entry.source === 'statement' ? { ...entry, failed: shortFailure(entry.failed) } : entry;

/** The first ones, and all that matched, which are never many: in the order in which they were looked at. */
const essential = ({ trail }: Decision): readonly TrailEntry[] => {
  if (trail.length <= MAX_ENTRIES) return trail;
  const matched = trail.filter((entry) => entry.matched).slice(0, MAX_ENTRIES);
  const room = MAX_ENTRIES - matched.length;
  const others = new Set(trail.filter((entry) => !entry.matched).slice(0, room));
  const kept = new Set(matched);
  return trail.filter((entry) => kept.has(entry) || others.has(entry));
};

/** A decision in the form in which it is kept, of bounded size. */
export const policyStep = (decision: Decision): PolicyStep => {
  const { request, allowed, reason, deciding, trail } = decision;
  const kept = essential(decision);
  const position = deciding === null ? -1 : kept.indexOf(deciding);
  const change = allowed ? null : smallestChange(decision);
  return {
    step: 'policies',
    action: request.action,
    resource: request.resource,
    allowed,
    reason,
    trail: kept.map(shortEntry),
    deciding: position === -1 ? null : position,
    omitted: trail.length - kept.length,
    change: change && { ...change, nearest: change.nearest && { ...change.nearest, failed: shortFailure(change.nearest.failed) } }, // prettier-ignore
  };
};

const RESOURCE_IDS =
  /\b(?:vol|snap|ami|i|r)-[0-9a-f]{8,17}\b|arn:aws:kms:[a-z0-9-]+:\d{12}:key\/(?:mrk-)?[0-9a-f-]{32,36}|\bmrk-[0-9a-f]{32}\b/g;
const MAX_RESOURCES = 32;
const MAX_SCANNED_CHARACTERS = 65_536;

/** The ids and key ARNs that a request, or a list of ARNs, names: by these a decision is found. */
export const resourcesNamedIn = (...values: readonly unknown[]): string[] => {
  const text = JSON.stringify(values).slice(0, MAX_SCANNED_CHARACTERS);
  return [...new Set(text.match(RESOURCE_IDS) ?? [])].slice(0, MAX_RESOURCES);
};
