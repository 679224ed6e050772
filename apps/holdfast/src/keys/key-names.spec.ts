import { describe, expect, it } from 'vitest';
import { findOneKey, parseKeyReference } from './key-names.ts';
import type { Query } from './stack-tables.ts';

const ID = '0f0f0f0f-1111-4222-8333-444444444444';
const PLACE = { region: 'eu-central-1', accountId: '111122223333' };
const arn = (resource: string) => `arn:aws:kms:${PLACE.region}:${PLACE.accountId}:${resource}`;

describe('a key', () => {
  it.each([
    [ID, { kind: 'id', keyId: ID }],
    [`mrk-${'0'.repeat(32)}`, { kind: 'id', keyId: `mrk-${'0'.repeat(32)}` }],
    ['alias/data', { kind: 'alias', aliasName: 'alias/data' }],
    [arn(`key/${ID}`), { kind: 'key-arn', arn: arn(`key/${ID}`), keyId: ID, ...PLACE }],
    [arn('alias/aws/ebs'), { kind: 'alias-arn', aliasName: 'alias/aws/ebs', ...PLACE }],
  ])('goes by %s', (text, reference) => expect(parseKeyReference(text)).toEqual(reference));

  it.each(['', 'data', 'alias/', 'alias/a b', ID.toUpperCase(), arn('key/x'), arn(ID), `arn:aws:s3:::${ID}`])(
    'does not go by %j',
    (text) => expect(() => parseKeyReference(text)).toThrow('names no key'),
  );

  const row = (region: string) => ({ key_id: ID, account_id: PLACE.accountId, region });
  /** @param events of the key's stream, for when no row is left. */
  const table =
    (rows: object[], events: object[] = []): Query =>
    <Row>(text: string) =>
      Promise.resolve((text.includes('FROM events') ? events : rows) as Row[]);
  const deleted = [
    { type: 'KeyCreated', account_id: PLACE.accountId, region: PLACE.region, at: '2026-01-01T00:00:00.000Z' },
    { type: 'KeyDeleted', account_id: null, region: null, at: '2026-02-01T00:00:00.000Z' },
  ];

  it('is the one that the name means', async () => {
    const found = { keyId: ID, ...PLACE, arn: arn(`key/${ID}`) };
    expect(await findOneKey(table([row(PLACE.region)]), 'alias/data')).toEqual(found);
    expect(await findOneKey(table([row('us-east-1'), row(PLACE.region)]), arn(`key/${ID}`))).toEqual(found);
  });

  it('is not guessed, made up or dug up', async () => {
    const several = findOneKey(table([row('us-east-1'), row(PLACE.region)]), ID);
    await expect(several).rejects.toThrow(/names several keys, choose one: .*us-east-1.*, .*eu-central-1/);
    await expect(findOneKey(table([]), 'alias/data')).rejects.toThrow('there is no key alias/data');
    await expect(findOneKey(table([]), ID)).rejects.toThrow(`there is no key ${ID}`);
    await expect(findOneKey(table([], deleted), ID)).rejects.toThrow('was deleted at 2026-02-01T00:00:00.000Z');
    const elsewhere = arn(`key/${ID}`).replace(PLACE.accountId, '999988887777');
    await expect(findOneKey(table([], deleted), elsewhere)).rejects.toThrow('there is no key');
  });
});
