import { createHash } from 'node:crypto';
import type { GrantConstraints, GrantTerms } from './grant.events.ts';

// How grants are found: by digests, since names, pairs and terms are of any length and an index's entries are not.

const digest = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

const sortedPairs = (pairs: Readonly<Record<string, string>> | undefined): [string, string][] | null =>
  pairs === undefined ? null : Object.entries(pairs).sort(([a], [b]) => (a < b ? -1 : 1));

/** The same for the same terms, whatever the order of pairs; operations come in AWS's order already. */
export const hashTerms = (terms: GrantTerms): string => {
  const { issuingAccount, name, operations, constraints } = terms;
  const { granteeId: granteePrincipal = terms.granteePrincipal } = terms;
  const { retiringId: retiringPrincipal = terms.retiringPrincipal } = terms;
  const subset = sortedPairs(constraints?.EncryptionContextSubset);
  const equals = sortedPairs(constraints?.EncryptionContextEquals);
  return digest([name, granteePrincipal, retiringPrincipal, issuingAccount, operations, subset, equals]);
};

/** The digest of one pair that every context must contain which satisfies the constraints; '' when there is none. */
export const leadPair = (constraints: GrantConstraints | null): string => {
  const pairs = sortedPairs(constraints?.EncryptionContextEquals ?? constraints?.EncryptionContextSubset);
  const [first] = pairs ?? [];
  return first === undefined ? '' : digest(first);
};

/** The lead pairs that grants can have which hold for this context. */
export const leadPairsOf = (context: Readonly<Record<string, string>>): string[] => [
  '',
  ...Object.entries(context).map((pair) => digest(pair)),
];
