import type { AccountId, KeyArn, Region } from '@holdfast/contracts';
import { refuse } from './errors.ts';

export interface Place {
  readonly accountId: AccountId;
  readonly region: Region;
}

export type KeyReference =
  | (Place & { readonly kind: 'key'; readonly keyId: string })
  | (Place & { readonly kind: 'alias'; readonly aliasName: string });

const KEY_ID = /^(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/;
const ARN = /^arn:aws:kms:([a-z0-9-]+):(\d{12}):(key\/(.+)|alias\/.+)$/s;
const ALIAS_NAME = /^[a-zA-Z0-9:/_-]+$/;

export const AWS_ALIAS_PREFIX = 'alias/aws/';
/** The one key that AWS manages here: EBS's default. */
export const EBS_ALIAS = 'alias/aws/ebs';

export const keyArnOf = ({ region, accountId }: Place, keyId: string): KeyArn =>
  `arn:aws:kms:${region}:${accountId}:key/${keyId}` as KeyArn;

/** A multi-Region key has one stream, whatever its Regions. */
export const keyStream = (keyId: string): string => `key-${keyId}`;

export const aliasArnOf = ({ region, accountId }: Place, aliasName: string): string =>
  `arn:aws:kms:${region}:${accountId}:${aliasName}`;

export const referenceArn = (reference: KeyReference): string =>
  reference.kind === 'key' ? keyArnOf(reference, reference.keyId) : aliasArnOf(reference, reference.aliasName);

const arnReference = (text: string, caller: Place): KeyReference => {
  const [, region, accountId, resource = '', keyId] = ARN.exec(text) ?? refuse('InvalidArn', { arn: text });
  if (region !== caller.region) return refuse('InvalidArn', { arn: region ?? text });
  const place = { region: caller.region, accountId: accountId as AccountId };
  if (keyId === undefined) return { kind: 'alias', ...place, aliasName: resource };
  return KEY_ID.test(keyId) ? { kind: 'key', ...place, keyId } : refuse('InvalidKeyId', { keyId });
};

/**
 * Reads a KeyId parameter: key id, key ARN and, where `aliases` are allowed, alias name or alias ARN.
 * @throws DomainError InvalidKeyId | InvalidArn
 */
export const parseKeyReference = (text: string, caller: Place, aliases: boolean): KeyReference => {
  const { accountId, region } = caller;
  const isArn = text.startsWith('arn:');
  const reference: KeyReference | null = isArn
    ? arnReference(text, caller)
    : text.startsWith('alias/')
      ? { kind: 'alias', accountId, region, aliasName: text }
      : KEY_ID.test(text)
        ? { kind: 'key', accountId, region, keyId: text }
        : null;
  if (reference === null || (reference.kind === 'alias' && !aliases)) return refuse('InvalidKeyId', { keyId: text });
  return reference;
};

/** Rules for an alias that a caller makes, changes or removes. @throws DomainError AliasWithoutPrefix | … */
export const checkAliasName = (aliasName: string): void => {
  if (!ALIAS_NAME.test(aliasName)) {
    const rule = `Member must satisfy regular expression pattern: ${ALIAS_NAME.source}`;
    const message = `1 validation error detected: Value '${aliasName}' at 'aliasName' failed to satisfy constraint: ${rule}`;
    refuse('Invalid', { message });
  }
  if (!aliasName.startsWith('alias/')) refuse('AliasWithoutPrefix', {});
  if (aliasName.startsWith(AWS_ALIAS_PREFIX)) refuse('AliasReserved', {});
  if (aliasName.includes(':') || aliasName === 'alias/') refuse('AliasCharacters', { aliasName });
};
