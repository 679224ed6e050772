import { randomUUID } from 'node:crypto';
import { turnClocks } from '@holdfast/service-kit';
import { describe, expect, it } from 'vitest';
import { start } from './service.ts';
import { ACCOUNT, OTHER, runningKms } from './testing/running-kms.ts';

const kms = runningKms();
const me = () => kms().caller(ACCOUNT);
const usage = async (KeyId: string) => (await me().call('GetKeyLastUsage', { KeyId })).KeyLastUsage;
const encrypt = (KeyId: string) => me().call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
const message = Buffer.from('m').toString('base64');
const DAY_MS = 86_400_000;

/** The key's KeyUsed events with their ids, in the order of the log. */
const logOf = async (keyId: string) => {
  const { rows } = await kms().sql.query<{ event_id: string; data: { operation: string; at: string; requestId: string } }>(
    `SELECT event_id, data FROM events WHERE type = 'KeyUsed' AND data->>'keyId' = $1 ORDER BY transaction_id, global_position`,
    [keyId],
  ); // prettier-ignore
  return rows;
};
const projected = async (keyId: string) => {
  const { rows } = await kms().sql.query<{ region: string; event_id: string }>(
    'SELECT region, event_id FROM key_last_uses WHERE key_id = $1',
    [keyId],
  );
  return rows;
};

describe('GetKeyLastUsage', () => {
  it('of a key that was never used says since when it would be known', async () => {
    const { id: KeyId, arn } = await me().newKey();
    const { KeyMetadata } = await me().call('DescribeKey', { KeyId });
    expect(await me().call('GetKeyLastUsage', { KeyId: arn })).toEqual({
      KeyId,
      KeyLastUsage: {},
      TrackingStartDate: KeyMetadata.CreationDate,
      KeyCreationDate: KeyMetadata.CreationDate,
    });
  });

  it('tells each operation at once, as the log has it', async () => {
    const agreed = await me().newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' });
    const signer = await me().newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    const mac = await me().newKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    const { id } = await me().newKey();
    const peer = (await me().call('GetPublicKey', { KeyId: agreed.id })).PublicKey;
    const { CiphertextBlob } = await encrypt(id);
    const signing = { KeyId: signer.id, Message: message, SigningAlgorithm: 'ECDSA_SHA_256' };
    const { Signature } = await me().call('Sign', signing);
    const authenticated = { KeyId: mac.id, Message: message, MacAlgorithm: 'HMAC_SHA_256' };
    const { Mac } = await me().call('GenerateMac', authenticated);
    const calls: [action: string, keyId: string, input: object][] = [
      ['Encrypt', id, { KeyId: id, Plaintext: Buffer.from('x') }],
      ['Decrypt', id, { CiphertextBlob }],
      ['GenerateDataKey', id, { KeyId: id, KeySpec: 'AES_256' }],
      ['GenerateDataKeyWithoutPlaintext', id, { KeyId: id, KeySpec: 'AES_256' }],
      ['GenerateDataKeyPair', id, { KeyId: id, KeyPairSpec: 'ECC_NIST_P256' }],
      ['GenerateDataKeyPairWithoutPlaintext', id, { KeyId: id, KeyPairSpec: 'ECC_NIST_P256' }],
      ['ReEncrypt', id, { CiphertextBlob, DestinationKeyId: id }],
      ['Sign', signer.id, signing],
      ['Verify', signer.id, { ...signing, Signature }],
      ['GenerateMac', mac.id, authenticated],
      ['VerifyMac', mac.id, { ...authenticated, Mac }],
      ['DeriveSharedSecret', agreed.id, { KeyId: agreed.id, KeyAgreementAlgorithm: 'ECDH', PublicKey: peer }],
    ];
    for (const [action, keyId, input] of calls) {
      await me().call(action, input);
      const last = (await logOf(keyId)).at(-1)!;
      expect(await usage(keyId), action).toEqual({
        Operation: action,
        Timestamp: last.data.at,
        CloudTrailEventId: last.event_id,
        KmsRequestId: last.data.requestId,
      });
    }
  });

  it('tells each key of a ReEncrypt its own event of the one request', async () => {
    const [from, to] = [await me().newKey(), await me().newKey()];
    const { CiphertextBlob } = await encrypt(from.id);
    await me().call('ReEncrypt', { CiphertextBlob, DestinationKeyId: to.id });
    const [source, destination] = [await usage(from.id), await usage(to.id)];
    expect([source.Operation, destination.Operation]).toEqual(['ReEncrypt', 'ReEncrypt']);
    expect(source.KmsRequestId).toBe(destination.KmsRequestId);
    expect(source.CloudTrailEventId).not.toBe(destination.CloudTrailEventId);
  });

  it('counts neither what failed, nor dry runs, nor what is no cryptography', async () => {
    const { id: KeyId } = await me().newKey();
    await encrypt(KeyId);
    const before = await usage(KeyId);
    await me().call('DescribeKey', { KeyId });
    await me().call('EnableKeyRotation', { KeyId });
    await expect(encrypt(randomUUID())).rejects.toMatchObject({ code: 'NotFoundException' });
    await expect(me().call('Encrypt', { KeyId, Plaintext: Buffer.from('x'), DryRun: true })).rejects.toMatchObject({ code: 'DryRunOperationException' }); // prettier-ignore
    await me().call('DisableKey', { KeyId });
    await expect(encrypt(KeyId)).rejects.toMatchObject({ code: 'DisabledException' });
    expect(await usage(KeyId)).toEqual(before);
  });

  it('is of one Region, also of a replica that is made again', async () => {
    const { id: KeyId } = await me().newKey({ MultiRegion: true });
    const there = me().as({ region: 'eu-west-1' });
    const replicate = () => me().call('ReplicateKey', { KeyId, ReplicaRegion: 'eu-west-1' });
    const theirs = async () => (await there.call('GetKeyLastUsage', { KeyId })).KeyLastUsage;
    await replicate();
    await encrypt(KeyId);
    expect(await theirs()).toEqual({});
    await there.call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
    expect((await theirs()).Operation).toBe('Encrypt');
    expect((await theirs()).CloudTrailEventId).not.toBe((await usage(KeyId)).CloudTrailEventId);
    await there.call('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 });
    await turnClocks(kms().stack.bus.connection, ['kms'], 8 * DAY_MS);
    try {
      const isGone = () => there.call('DescribeKey', { KeyId }).then(() => false, () => true); // prettier-ignore
      await expect.poll(isGone).toBe(true);
    } finally {
      await turnClocks(kms().stack.bus.connection, ['kms'], 0);
    }
    const theirRows = async () => (await projected(KeyId)).filter(({ region }) => region === 'eu-west-1');
    await expect.poll(theirRows).toEqual([]); // The projection follows the log, and may be behind the key's end.
    await replicate();
    expect(await theirs()).toEqual({});
  });

  it('takes ids and ARNs of keys of the own account', async () => {
    const { id, arn } = await me().newKey();
    await me().call('CreateAlias', { AliasName: `alias/${id}`, TargetKeyId: id });
    await expect(usage(`alias/${id}`)).rejects.toMatchObject({ code: 'NotFoundException' });
    await expect(usage(randomUUID())).rejects.toMatchObject({ code: 'NotFoundException' });
    const foreign = kms().caller(OTHER).call('GetKeyLastUsage', { KeyId: arn });
    await expect(foreign).rejects.toMatchObject({ code: 'AccessDeniedException' });
  });

  it('survives a restart, and is made from the log again', async () => {
    const { id: KeyId } = await me().newKey();
    for (let use = 0; use < 3; use++) await encrypt(KeyId);
    const last = await usage(KeyId);
    const isProjected = async () => (await projected(KeyId))[0]?.event_id;
    await expect.poll(isProjected).toBe(last.CloudTrailEventId);
    expect(await usage(KeyId)).toEqual(last);
    await kms().service.close();
    await kms().sql.query(`DELETE FROM key_last_uses`);
    await kms().sql.query(`DELETE FROM checkpoints WHERE name = 'key-last-uses'`);
    kms().service = await start(kms().environment);
    expect(await usage(KeyId)).toEqual(last);
    await expect.poll(isProjected).toBe(last.CloudTrailEventId);
    expect(await usage(KeyId)).toEqual(last);
  });
});

describe('kms:TrailingDaysWithoutKeyUsage', () => {
  const Policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: 'kms:*', Resource: '*' },
      {
        Effect: 'Deny',
        Principal: '*',
        Action: ['kms:DisableKey', 'kms:ScheduleKeyDeletion'],
        Resource: '*',
        Condition: { NumericLessThanEquals: { 'kms:TrailingDaysWithoutKeyUsage': '30' } },
      },
    ],
  });
  const attempt = (action: string, KeyId: string) =>
    me().call(action, { KeyId }).then(() => 'ok', ({ code }: { code: string }) => code); // prettier-ignore

  it('keeps a key that is in use from being disabled and deleted', async () => {
    const [used, idle] = [await me().newKey({ Policy }), await me().newKey({ Policy })];
    expect(await attempt('DisableKey', idle.id)).toBe('AccessDeniedException'); // By its creation.
    try {
      await turnClocks(kms().stack.bus.connection, ['kms'], 30.5 * DAY_MS);
      await encrypt(used.id);
      expect(await attempt('DisableKey', idle.id)).toBe('AccessDeniedException'); // 30.5 days are 30.
      await turnClocks(kms().stack.bus.connection, ['kms'], 31.5 * DAY_MS);
      for (const action of ['DisableKey', 'ScheduleKeyDeletion']) {
        expect(await attempt(action, used.id), action).toBe('AccessDeniedException');
        expect(await attempt(action, idle.id), action).toBe('ok');
      }
    } finally {
      await turnClocks(kms().stack.bus.connection, ['kms'], 0);
    }
  });
});
