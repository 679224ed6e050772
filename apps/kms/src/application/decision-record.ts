import { randomUUID } from 'node:crypto';
import type { AwsErrorShape, Instant, RequestContext } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { type Decision, type DecisionRecord, type DecisionStep, policyStep, resourcesNamedIn } from '@holdfast/iam';
import type { KmsErrorCode } from '../domain/errors.ts';
import type { Considered, KeyRecord } from './ports.ts';

type FoundKey = Pick<KeyRecord, 'arn' | 'state'>;

/** Of work on nobody's request. */
export const NOTHING_CONSIDERED: Considered = { decided: () => undefined, found: () => undefined };

/** Of one request. */
export class ConsideredSoFar implements Considered {
  readonly decisions: Decision[] = [];
  readonly keys = new Map<string, FoundKey>();

  decided(decision: Decision): void {
    this.decisions.push(decision);
  }

  found(key: FoundKey): void {
    this.keys.set(key.arn, key);
  }
}

/** Of the rest a KeyUsed event says who used which key under which grant, and reading changes nothing. */
const NOT_KEPT_WHEN_ALLOWED = /^(Get|List|Describe|Generate|Encrypt|Decrypt|ReEncrypt|Sign|Verify|DeriveSharedSecret)/;

export const isKeptWhenAllowed = (operation: string): boolean => !NOT_KEPT_WHEN_ALLOWED.test(operation);

/** Not about access: a parameter that is wrong in itself, and a call that was only tried. */
const NO_DECISIONS: ReadonlySet<string> = new Set<KmsErrorCode>(['DryRun', 'Invalid']);

export const isRefusal = (error: unknown): error is DomainError =>
  error instanceof DomainError && !NO_DECISIONS.has(error.code);

const STATE_REFUSALS: ReadonlySet<string> = new Set<KmsErrorCode>([
  'KeyDisabled',
  'KeyPendingDeletion',
  'KeyNotPendingDeletion',
  'KeyPendingImport',
  'KeyUnavailable',
  'KeyCreating',
  'KeyUpdating',
]);
const LIMITS: ReadonlySet<string> = new Set<KmsErrorCode>([
  'AliasLimitExceeded',
  'GrantLimitExceeded',
  'KeyLimitExceeded',
  'RotationLimitExceeded',
]);

export interface ServedRequest {
  readonly operation: string;
  readonly input: unknown;
  readonly context: RequestContext;
  readonly considered: ConsideredSoFar;
  readonly at: Instant;
}

export interface Refused {
  readonly error: DomainError;
  readonly answer: AwsErrorShape;
}

const ruleStep = ({ error, answer: { code, message = '' } }: Refused): DecisionStep =>
  LIMITS.has(error.code) ? { step: 'quota', message } : { step: 'rule', code, message };

/** Policies and grants, then the states of keys, then whatever else refused. */
const stepsOf = ({ considered }: ServedRequest, refused: Refused | null): DecisionStep[] => {
  const policies = considered.decisions.map(policyStep);
  if (policies.some(({ allowed }) => !allowed)) return policies;
  const stateRefused = refused !== null && STATE_REFUSALS.has(refused.error.code);
  const refusedArn = stateRefused ? (refused.error.details as { arn: string }).arn : null;
  const states = [...considered.keys.values()]
    .map(({ arn, state }): DecisionStep & { allowed: boolean } => {
      return { step: 'key-state', keyArn: arn, keyState: state, allowed: arn !== refusedArn };
    })
    // The one that decided goes last.
    .sort((a, b) => Number(b.allowed) - Number(a.allowed));
  const isExplained = refused === null || (stateRefused && states.some(({ allowed }) => !allowed));
  return [...policies, ...states, ...(isExplained ? [] : [ruleStep(refused)])];
};

/** What is kept of a request's decision: what was looked at, and in AWS's words what came of it. */
export const decisionRecord = (served: ServedRequest, refused: Refused | null): DecisionRecord => {
  const { operation, input, context, considered, at } = served;
  const { requestId, accountId, region, principal, viaService = null } = context;
  const answer = refused?.answer;
  return {
    decisionId: randomUUID(),
    ...{ requestId, at, service: 'kms', operation, accountId, region },
    ...{ principalArn: principal.arn, viaService, allowed: refused === null },
    refusal: answer === undefined ? null : { code: answer.code, message: answer.message ?? '' },
    resources: resourcesNamedIn(input, [...considered.keys.keys()]),
    steps: stepsOf(served, refused),
  };
};
