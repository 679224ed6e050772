import type { DecisionRecord, DecisionStep, PolicyStep, TrailEntry } from '@holdfast/iam';

const SIDES = {
  identity: 'identity-based policy',
  resource: 'resource-based policy',
  boundary: 'permissions boundary',
  session: 'session policy',
} as const;

const KEY_ARN = /^arn:aws:kms:/;

const sideOf = (side: keyof typeof SIDES, resource: string): string =>
  side === 'resource' && KEY_ARN.test(resource) ? 'key policy' : SIDES[side];

const withArticle = (noun: string): string => `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;

type Statement = Extract<TrailEntry, { source: 'statement' }>;

const statementTitle = ({ sid, statementIndex }: Statement): string =>
  sid === null || sid === '' ? `statement ${String(statementIndex)}` : `statement ${JSON.stringify(sid)}`;

const why = ({ failed }: Statement): string => {
  if (failed === null) return 'matches';
  if (failed.element !== 'Condition') return `does not match: ${failed.element}`;
  const { operator, key, wanted, given } = failed;
  const has = given.length === 0 ? 'has none' : `has ${given.join(', ')}`;
  return `does not match: condition ${operator} ${key} ${wanted.join(', ')} (the request ${has})`;
};

const RULES = {
  'root-user': 'the root user may do everything in its account that nothing denies',
  'own-account-only': 'KMS offers this operation only to the account that the key belongs to',
} as const;

const entryText = (entry: TrailEntry, resource: string): string => {
  switch (entry.source) {
    case 'statement': {
      const { side, policyName, effect } = entry;
      const policy = [sideOf(side, resource), ...(policyName === null ? [] : [policyName])].join(' ');
      return `${policy}, ${statementTitle(entry)} (${effect}): ${why(entry)}`;
    }
    case 'grant':
      return `grant ${entry.grantId}: ${entry.failed === null ? 'matches' : `does not match: ${entry.failed}`}`;
    case 'rule':
      return `rule: ${RULES[entry.rule]}`;
  }
};

/** Why nothing in the trail decided. */
const conclusion = ({ reason, deciding, resource }: PolicyStep): string => {
  switch (reason.kind) {
    case 'allowed':
      return 'allowed';
    case 'explicit-deny':
      return `denied by ${withArticle(sideOf(reason.in, resource))}`;
    case 'implicit-deny':
      return deciding === null ? `denied: no ${sideOf(reason.missing, resource)} allows it` : 'denied';
  }
};

const policyLines = (step: PolicyStep): string[] => {
  const { action, resource, trail, deciding, omitted, change } = step;
  return [
    `${action} on ${resource}`,
    ...trail.map((entry, at) => `  ${at === deciding ? '=>' : ' -'} ${entryText(entry, resource)}`),
    ...(trail.length === 0 ? ['   - no policy and no grant is there to be looked at'] : []),
    ...(omitted === 0 ? [] : [`   … and ${String(omitted)} more that do not match`]),
    `  ${conclusion(step)}`,
    ...(change === null ? [] : [`  smallest change: ${change.sentence}`]),
  ];
};

const STATE_REMEDIES: Readonly<Record<string, string>> = {
  Disabled: 'enable the key (EnableKey)',
  PendingDeletion: 'cancel its deletion (CancelKeyDeletion) and enable it (EnableKey)',
  PendingReplicaDeletion: 'cancel its deletion (CancelKeyDeletion) and enable it (EnableKey)',
  PendingImport: 'import its key material (ImportKeyMaterial)',
  Creating: 'wait until the key is made',
  Updating: 'wait until the key is updated',
};

const stepLines = (step: DecisionStep): string[] => {
  switch (step.step) {
    case 'policies':
      return policyLines(step);
    case 'key-state': {
      const { keyArn, keyState, allowed } = step;
      const line = `${allowed ? ' -' : '=>'} state of ${keyArn}: ${keyState}`;
      const remedy = allowed ? undefined : STATE_REMEDIES[keyState];
      return remedy === undefined ? [line] : [line, `   smallest change: ${remedy}`];
    }
    case 'quota':
      return [`=> limit: ${step.message}`];
    case 'rule':
      return [`=> ${step.code}${step.message === '' ? '' : `: ${step.message}`}`];
  }
};

/** A decision as text: what was asked, what was looked at in order, what decided, and what would change it. */
export const decisionLines = (record: DecisionRecord): string[] => {
  const { at, service, operation, principalArn, viaService, allowed, refusal, region, accountId, steps } = record;
  const via = viaService === null ? '' : ` through ${viaService}`;
  return [
    `${service} ${operation} ${allowed ? 'allowed' : 'refused'}  ${at}  ${accountId} ${region}`,
    `  by ${principalArn}${via}`,
    ...(refusal === null ? [] : [`  answered ${refusal.code}${refusal.message === '' ? '' : `: ${refusal.message}`}`]),
    ...steps.flatMap(stepLines).map((line) => `  ${line}`),
  ];
};
