import { refuse } from './errors.ts';
import { checkGrantable, type KeyKind } from './key-specs.ts';
import { GRANT_OPERATIONS, type GrantConstraints, type GrantOperation } from './grant.events.ts';

const MAX_CONSTRAINT_PAIRS = 8;
const MAX_CONSTRAINT_CHARACTERS = 384;

const IAM_PRINCIPAL =
  /^arn:aws:(?:iam::\d{12}:(?:root|(?:user|role)\/[\w+=,.@/-]+)|sts::\d{12}:(?:assumed-role\/[\w+=,.@:-]+\/[\w+=,.@-]+|federated-user\/[\w+=,.@-]+))$/;
const SERVICE_PRINCIPAL = /^[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com$/;

/**
 * @param byService the grant is made by, or through, an AWS service: only those name services.
 * @throws DomainError InvalidPrincipal
 */
export const checkPrincipal = (arn: string, byService: boolean): void => {
  if (IAM_PRINCIPAL.test(arn) || (byService && SERVICE_PRINCIPAL.test(arn))) return;
  refuse('InvalidPrincipal', { arn });
};

/** In AWS's order, each once. @throws DomainError Invalid */
export const checkOperations = (
  operations: readonly GrantOperation[],
  key: KeyKind & { readonly arn: string },
): GrantOperation[] => {
  checkGrantable(operations, key);
  return GRANT_OPERATIONS.filter((operation) => operations.includes(operation));
};

const checkPairs = (name: string, pairs: Readonly<Record<string, string>>): void => {
  const entries = Object.entries(pairs);
  if (entries.length > MAX_CONSTRAINT_PAIRS) {
    refuse('Invalid', { message: `${name} must have at most ${String(MAX_CONSTRAINT_PAIRS)} pairs.` });
  }
  const tooLong = entries.flat().some((text) => text.length > MAX_CONSTRAINT_CHARACTERS);
  if (tooLong) {
    const limit = String(MAX_CONSTRAINT_CHARACTERS);
    refuse('Invalid', { message: `Keys and values of ${name} must have at most ${limit} characters.` });
  }
};

/** Null when nothing is constrained: no pairs at all are no constraint. @throws DomainError Invalid */
export const checkConstraints = (constraints: GrantConstraints | undefined): GrantConstraints | null => {
  if (constraints === undefined) return null;
  const { EncryptionContextSubset: subset, EncryptionContextEquals: equals } = constraints;
  if (subset !== undefined) checkPairs('EncryptionContextSubset', subset);
  if (equals !== undefined) checkPairs('EncryptionContextEquals', equals);
  const checked: GrantConstraints = {
    ...(subset && Object.keys(subset).length > 0 ? { EncryptionContextSubset: subset } : {}),
    ...(equals === undefined ? {} : { EncryptionContextEquals: equals }),
  };
  return Object.keys(checked).length === 0 ? null : checked;
};

/** Other keys' operations have no encryption context that a constraint could hold for. @throws DomainError Invalid */
export const checkConstrainable = (
  constraints: GrantConstraints | null,
  { arn, keySpec }: KeyKind & { readonly arn: string },
): void => {
  if (constraints === null || keySpec === 'SYMMETRIC_DEFAULT') return;
  const message = `Grant constraints are not valid for ${arn}, whose key spec is ${keySpec}.`;
  refuse('Invalid', { message });
};
