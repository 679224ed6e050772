import type { RequestContext } from '@holdfast/contracts';
import { type AccessRequest, authorize, foreignDenial, granteeNames, grantsMatterTo } from '../domain/authorize.ts';
import { refuse } from '../domain/errors.ts';
import { EBS_ALIAS, type KeyReference, parseKeyReference, referenceArn } from '../domain/names.ts';
import { ensureEbsKey } from './ensure-ebs-key.ts';
import type { Kms, KeyRecord } from './ports.ts';

const lookUp = async (kms: Kms, reference: KeyReference, context: RequestContext): Promise<KeyRecord | null> => {
  if (reference.kind === 'key') {
    const key = await kms.keys.find(reference.keyId);
    return key?.accountId === reference.accountId && key.region === reference.region ? key : null;
  }
  const key = await kms.keys.findByAlias(reference, reference.aliasName);
  const isOwnEbsKey = reference.aliasName === EBS_ALIAS && reference.accountId === context.accountId;
  return key ?? (isOwnEbsKey ? ensureEbsKey(kms, context) : null);
};

export interface KeyLookup {
  /** IAM's action without `kms:`, for the refusal when another account's key does not exist. */
  readonly action: string;
  /** Whether the operation takes alias names and ARNs. */
  readonly aliases: boolean;
}

/**
 * Finds the key that a KeyId parameter names. `alias/aws/ebs` makes the caller's EBS key on first need.
 * @throws DomainError InvalidKeyId | InvalidArn | KeyNotFound | AliasNotFound | AccessDenied (other accounts' absent keys)
 */
export const resolveKey = async (
  kms: Kms,
  keyId: string,
  context: RequestContext,
  { action, aliases }: KeyLookup,
): Promise<KeyRecord> => {
  const reference = parseKeyReference(keyId, context, aliases);
  const key = await lookUp(kms, reference, context);
  if (key !== null) return key;
  const arn = referenceArn(reference);
  if (reference.accountId !== context.accountId) {
    return refuse('AccessDenied', { message: foreignDenial(action, context.principal, arn) });
  }
  return reference.kind === 'alias' ? refuse('AliasNotFound', { aliasArn: arn }) : refuse('KeyNotFound', { arn });
};

type Details = Pick<AccessRequest, 'encryptionContext' | 'newGrant'>;

/**
 * @returns the grant that allows it; null when the key's policy does.
 * @throws DomainError AccessDenied
 */
export const requireAccess = async (
  kms: Kms,
  action: string,
  key: KeyRecord | null,
  { principal, viaService }: RequestContext,
  details: Details = {},
): Promise<string | null> => {
  const request: AccessRequest = { action, principal, viaService, key, ...details };
  let decision = authorize(request, []);
  if (!decision.allowed && key !== null && grantsMatterTo(action)) {
    const context = action === 'CreateGrant' ? null : (details.encryptionContext ?? null);
    decision = authorize(request, await kms.grants.applicable(key.keyId, granteeNames(principal), action, context));
  }
  return decision.allowed ? decision.grantId : refuse('AccessDenied', { message: decision.message });
};

/** Resolves a key and checks access to it: the start of every operation on one key. */
export const openKey = async (
  kms: Kms,
  keyId: string,
  context: RequestContext,
  lookup: KeyLookup,
): Promise<KeyRecord> => {
  const key = await resolveKey(kms, keyId, context, lookup);
  await requireAccess(kms, lookup.action, key, context);
  return key;
};

/** Grants are usable at once here, so a token adds nothing; a false one is refused all the same. */
export const checkGrantTokens = (kms: Kms, tokens: readonly string[] | undefined): void => {
  for (const token of tokens ?? []) kms.tokens.read(token);
};
