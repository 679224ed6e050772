import { UserError } from '../errors.ts';
import type { Query } from './stack-tables.ts';

/** A key in one Region. */
export interface FoundKey {
  readonly keyId: string;
  readonly accountId: string;
  readonly region: string;
  readonly arn: string;
}

export type KeyReference =
  | { readonly kind: 'id'; readonly keyId: string }
  | { readonly kind: 'key-arn'; readonly arn: string; readonly keyId: string; readonly region: string; readonly accountId: string }
  | { readonly kind: 'alias'; readonly aliasName: string }
  | { readonly kind: 'alias-arn'; readonly aliasName: string; readonly region: string; readonly accountId: string }; // prettier-ignore

const KEY_ID = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/;
const ALIAS = /^alias\/[a-zA-Z0-9:/_-]+$/;
const ARN = /^arn:aws:kms:([a-z0-9-]+):(\d{12}):(.+)$/;

/** @throws UserError for what is neither a key's id or ARN nor an alias's name or ARN. */
export const parseKeyReference = (text: string): KeyReference => {
  const [, region, accountId, resource = ''] = ARN.exec(text) ?? [];
  if (KEY_ID.test(text)) return { kind: 'id', keyId: text };
  if (ALIAS.test(text)) return { kind: 'alias', aliasName: text };
  if (region !== undefined && accountId !== undefined) {
    const keyId = resource.replace(/^key\//, '');
    if (keyId !== resource && KEY_ID.test(keyId)) return { kind: 'key-arn', arn: text, keyId, region, accountId };
    if (ALIAS.test(resource)) return { kind: 'alias-arn', aliasName: resource, region, accountId };
  }
  throw new UserError(`${text} names no key: give a key id, a key ARN, an alias (alias/…) or an alias's ARN`);
};

const arnOf = (keyId: string, region: string, accountId: string): string =>
  `arn:aws:kms:${region}:${accountId}:key/${keyId}`;

interface KeyRow {
  key_id: string;
  account_id: string;
  region: string;
}

const BY_KEY = 'SELECT key_id, account_id, region FROM kms_keys WHERE key_id = $1 ORDER BY region';
const BY_ALIAS = `
  SELECT k.key_id, k.account_id, k.region FROM aliases a
  JOIN kms_keys k ON k.key_id = a.target_key_id AND k.region = a.region
  WHERE a.alias_name = $1 ORDER BY k.account_id, k.region`;

const isMeant =
  (reference: KeyReference) =>
  ({ region, account_id: accountId }: KeyRow): boolean =>
    !('region' in reference) || (reference.region === region && reference.accountId === accountId);

/** The keys that go by this name now: several for a replicated key's id, or an alias that several accounts have. */
export const findKeys = async (kms: Query, reference: KeyReference): Promise<FoundKey[]> => {
  const rows =
    'keyId' in reference
      ? await kms<KeyRow>(BY_KEY, [reference.keyId])
      : await kms<KeyRow>(BY_ALIAS, [reference.aliasName]);
  return rows.filter(isMeant(reference)).map(({ key_id: keyId, region, account_id: accountId }) => ({
    keyId,
    region,
    accountId,
    arn: arnOf(keyId, region, accountId),
  }));
};

/** When the key, in the Region of an ARN, was deleted; null when there never was one. */
export const deletionOf = async (kms: Query, reference: KeyReference): Promise<string | null> => {
  if (!('keyId' in reference)) return null;
  const rows = await kms<{ type: string; account_id: string | null; region: string | null; at: string }>(
    `SELECT type, data->>'accountId' AS account_id, data->>'region' AS region, data->>'at' AS at FROM events
     WHERE stream_id = 'key-' || $1 AND type IN ('KeyCreated', 'KeyDeleted') ORDER BY version`,
    [reference.keyId],
  );
  const [created] = rows;
  const ofAccount = reference.kind === 'id' || created?.account_id === reference.accountId;
  const deleted = rows.findLast(
    ({ type, region }) =>
      type === 'KeyDeleted' && (reference.kind === 'id' || (region ?? created?.region) === reference.region),
  );
  return ofAccount ? (deleted?.at ?? null) : null;
};

/** @throws UserError when no key goes by this name, or more than one. */
export const findOneKey = async (kms: Query, text: string): Promise<FoundKey> => {
  const reference = parseKeyReference(text);
  const found = await findKeys(kms, reference);
  const [key] = found;
  if (key !== undefined && found.length === 1) return key;
  if (key !== undefined) {
    throw new UserError(`${text} names several keys, choose one: ${found.map(({ arn }) => arn).join(', ')}`);
  }
  const deletedAt = await deletionOf(kms, reference);
  if (deletedAt === null) throw new UserError(`there is no key ${text}`);
  throw new UserError(`key ${text} was deleted at ${deletedAt}: what it was used for is told by "holdfast keys usage"`);
};
