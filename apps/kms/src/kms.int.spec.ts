import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resetServices, turnClocks } from '@holdfast/service-kit';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import type { ServiceEnvironment } from '@holdfast/service-kit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { start } from './service.ts';
import { Caller, hostOf, serviceOf } from './testing/caller.ts';

const ACCOUNT = '111122223333';
const OTHER = '444455556666';
const EC2 = 'ec2.eu-central-1.amazonaws.com';

let folder: string;
let stack: TestStack;
let environment: ServiceEnvironment;
let sql: pg.Pool;
let me: Caller;
let service: Awaited<ReturnType<typeof start>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-kms-'));
  stack = await startTestStack(inject('postgresAdminUrl'));
  environment = await stack.environment({ rootKeyFile: join(folder, 'keys', 'root.key') });
  service = await start(environment);
  sql = new pg.Pool({ connectionString: environment.migrationDatabaseUrl, max: 2 });
  me = new Caller(stack.bus, ACCOUNT);
});
afterAll(async () => {
  await service.close();
  await sql.end();
  await stack.close();
  await rm(folder, { recursive: true });
});

const refusal = (code: string, message?: string) =>
  expect.objectContaining({ name: 'AwsError', code, message: message ?? '' });
const usesOf = async (keyId: string) => {
  const { rows } = await sql.query(
    `SELECT data, metadata FROM events WHERE type = 'KeyUsed' AND data->>'keyId' = $1 ORDER BY global_position`,
    [keyId],
  );
  return rows as { data: Record<string, unknown>; metadata: { caller: Record<string, unknown> } }[];
};

describe('keys', () => {
  it('are created with AWS metadata and described by id and ARN', async () => {
    const { KeyMetadata } = await me.call('CreateKey', { Description: 'mine', Tags: [{ TagKey: 'a', TagValue: 'b' }] });
    expect(KeyMetadata).toEqual({
      AWSAccountId: ACCOUNT,
      KeyId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      Arn: `arn:aws:kms:eu-central-1:${ACCOUNT}:key/${KeyMetadata.KeyId}`,
      CreationDate: expect.stringMatching(/^\d{4}-.*Z$/),
      Enabled: true,
      Description: 'mine',
      KeyUsage: 'ENCRYPT_DECRYPT',
      KeyState: 'Enabled',
      Origin: 'AWS_KMS',
      KeyManager: 'CUSTOMER',
      CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
      KeySpec: 'SYMMETRIC_DEFAULT',
      EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
      MultiRegion: false,
      CurrentKeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    for (const KeyId of [KeyMetadata.KeyId, KeyMetadata.Arn]) {
      expect((await me.call('DescribeKey', { KeyId })).KeyMetadata).toEqual(KeyMetadata);
    }
  });

  const absent = '1234abcd-12ab-34cd-56ef-1234567890ab';
  const arnOf = (region: string, id: string) => `arn:aws:kms:${region}:${ACCOUNT}:key/${id}`;
  it.each([
    [absent, `Key '${arnOf('eu-central-1', absent)}' does not exist`],
    [`mrk-${'0'.repeat(32)}`, `Key '${arnOf('eu-central-1', `mrk-${'0'.repeat(32)}`)}' does not exist`],
    ['fake', "Invalid keyId 'fake'"],
    ['1234abcd12ab34cd56ef1234567890ab', "Invalid keyId '1234abcd12ab34cd56ef1234567890ab'"],
    ['mrk-foo', "Invalid keyId 'mrk-foo'"],
    [arnOf('us-east-1', absent), 'Invalid arn us-east-1'],
    ['alias/none', `Alias arn:aws:kms:eu-central-1:${ACCOUNT}:alias/none is not found.`],
  ])('%s is not found, in the words of AWS', async (KeyId, message) => {
    await expect(me.call('DescribeKey', { KeyId })).rejects.toEqual(refusal('NotFoundException', message));
  });

  it('of another account do not exist, or must not be used', async () => {
    const theirs = await new Caller(stack.bus, OTHER).newKey();
    const user = `User: arn:aws:iam::${ACCOUNT}:root is not authorized to perform: kms:`;
    await expect(me.call('DescribeKey', { KeyId: theirs.arn })).rejects.toEqual(
      refusal(
        'AccessDeniedException',
        `${user}DescribeKey on resource: ${theirs.arn} because no resource-based policy allows the kms:DescribeKey action`,
      ),
    );
    for (const action of ['DisableKey', 'ListAliases', 'ListGrants', 'GetKeyPolicy', 'ScheduleKeyDeletion']) {
      await expect(me.call(action, { KeyId: theirs.arn })).rejects.toMatchObject({ code: 'AccessDeniedException' });
    }
    const missing = theirs.arn.replace(theirs.id, absent);
    await expect(me.call('DescribeKey', { KeyId: missing })).rejects.toMatchObject({
      code: 'AccessDeniedException',
      message: expect.stringContaining(`kms:DescribeKey on resource: ${missing} because the resource does not exist`),
    });
    await expect(me.call('DescribeKey', { KeyId: theirs.id })).rejects.toMatchObject({ code: 'NotFoundException' });
    expect((await me.call('ListKeys')).Keys.map((key: { KeyId: string }) => key.KeyId)).not.toContain(theirs.id);
  });

  it('of another Region do not exist', async () => {
    const { id } = await me.newKey();
    const elsewhere = me.as({ region: 'us-west-2' });
    await expect(elsewhere.call('DescribeKey', { KeyId: id })).rejects.toMatchObject({ code: 'NotFoundException' });
  });

  it.each([
    [{ Policy: '{}' }, 'UnsupportedOperationException'],
    [{ CustomKeyStoreId: 'cks-1' }, 'UnsupportedOperationException'],
    [{ XksKeyId: 'x' }, 'UnsupportedOperationException'],
    [{ MultiRegion: true }, 'UnsupportedOperationException'],
    [{ Origin: 'EXTERNAL' }, 'UnsupportedOperationException'],
    [{ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' }, 'UnsupportedOperationException'],
    [{ KeySpec: 'RSA_2048' }, 'ValidationException'],
    [{ KeyUsage: 'SIGN_VERIFY' }, 'ValidationException'],
    [{ KeySpec: 'NONSENSE' }, 'ValidationException'],
  ])('are not created from %j', async (input, code) => {
    await expect(me.call('CreateKey', input)).rejects.toMatchObject({ code });
  });

  it('go through their states', async () => {
    const { id, arn } = await me.newKey();
    const state = async () => (await me.call('DescribeKey', { KeyId: id })).KeyMetadata;
    await me.call('DisableKey', { KeyId: id });
    expect(await state()).toMatchObject({ KeyState: 'Disabled', Enabled: false });
    await me.call('EnableKey', { KeyId: id });
    await expect(me.call('CancelKeyDeletion', { KeyId: id })).rejects.toEqual(
      refusal('KMSInvalidStateException', `${arn} is not pending deletion.`),
    );
    await expect(me.call('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 5 })).rejects.toEqual(
      refusal(
        'ValidationException',
        "1 validation error detected: Value '5' at 'pendingWindowInDays' failed to satisfy constraint: " +
          'Member must have value greater than or equal to 7',
      ),
    );
    const scheduled = await me.call('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 });
    expect(scheduled).toMatchObject({ KeyId: arn, KeyState: 'PendingDeletion', PendingWindowInDays: 7 });
    expect(await state()).toMatchObject({ KeyState: 'PendingDeletion', DeletionDate: scheduled.DeletionDate });
    for (const action of ['EnableKey', 'DisableKey', 'ScheduleKeyDeletion']) {
      await expect(me.call(action, { KeyId: id })).rejects.toEqual(
        refusal('KMSInvalidStateException', `${arn} is pending deletion.`),
      );
    }
    expect(await me.call('CancelKeyDeletion', { KeyId: id })).toEqual({ KeyId: arn });
    expect(await state()).toMatchObject({ KeyState: 'Disabled' });
  });

  it('are listed in pages, and only whole markers go on', async () => {
    const caller = new Caller(stack.bus, '777788889999');
    const made = await Promise.all(Array.from({ length: 5 }, () => caller.newKey()));
    const found: string[] = [];
    let Marker: string | undefined;
    do {
      const answer = await caller.call('ListKeys', { Limit: 2, Marker });
      expect(answer.Truncated).toBe(answer.NextMarker !== undefined);
      found.push(...answer.Keys.map((key: { KeyArn: string }) => key.KeyArn));
      Marker = answer.NextMarker;
    } while (Marker !== undefined);
    expect(found.sort()).toEqual(made.map(({ arn }) => arn).sort());
    const { NextMarker } = await caller.call('ListKeys', { Limit: 2 });
    await expect(caller.call('ListKeys', { Marker: `${NextMarker}x` })).rejects.toMatchObject({
      code: 'InvalidMarkerException',
    });
    await expect(me.call('ListKeys', { Marker: NextMarker })).rejects.toMatchObject({ code: 'InvalidMarkerException' });
    await expect(caller.call('ListAliases', { Marker: NextMarker })).rejects.toMatchObject({
      code: 'InvalidMarkerException',
    });
  });

  it('carry tags under their rules', async () => {
    const tag = (TagKey: string, TagValue = 'v') => ({ TagKey, TagValue });
    const { id: KeyId } = await me.newKey({ Tags: [tag('one')] });
    await me.call('TagResource', { KeyId, Tags: [tag('two'), tag('one', 'new')] });
    expect((await me.call('ListResourceTags', { KeyId })).Tags).toEqual([tag('one', 'new'), tag('two')]);
    await me.call('UntagResource', { KeyId, TagKeys: ['one', 'absent'] });
    expect(await me.call('ListResourceTags', { KeyId })).toEqual({ Tags: [tag('two')], Truncated: false });
    const refused: [object[], string][] = [
      [[tag('x'), tag('x')], 'Duplicate tag keys'],
      [Array.from({ length: 51 }, (_, n) => tag(`k${String(n)}`)), 'Too many tags'],
      [[tag('AWS:x')], 'Tags beginning with aws: are reserved'],
    ];
    for (const [Tags, message] of refused) {
      await expect(me.call('TagResource', { KeyId, Tags })).rejects.toEqual(refusal('TagException', message));
      await expect(me.call('CreateKey', { Tags })).rejects.toEqual(refusal('TagException', message));
    }
    const tooLong = 'k'.repeat(129);
    await expect(me.call('TagResource', { KeyId, Tags: [tag(tooLong)] })).rejects.toEqual(
      refusal(
        'ValidationException',
        `1 validation error detected: Value '${tooLong}' at 'tags.1.member.tagKey' failed to satisfy constraint: ` +
          'Member must have length less than or equal to 128',
      ),
    );
  });

  it('have one policy, the default one', async () => {
    const { id: KeyId, arn } = await me.newKey();
    expect((await me.call('ListKeyPolicies', { KeyId })).PolicyNames).toEqual(['default']);
    const { Policy } = await me.call('GetKeyPolicy', { KeyId });
    expect(JSON.parse(Policy)).toEqual({
      Version: '2012-10-17',
      Id: 'key-default-1',
      Statement: [
        {
          Sid: 'Enable IAM User Permissions',
          Effect: 'Allow',
          Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
          Action: 'kms:*',
          Resource: '*',
        },
      ],
    });
    await expect(me.call('GetKeyPolicy', { KeyId, PolicyName: 'other' })).rejects.toEqual(
      refusal('NotFoundException', 'No such policy exists'),
    );
    expect(await me.call('GetKeyRotationStatus', { KeyId })).toEqual({ KeyId: arn, KeyRotationEnabled: false });
  });
});

describe('aliases', () => {
  it('name keys, move to others and go', async () => {
    const [one, two] = [await me.newKey(), await me.newKey()];
    await me.call('CreateAlias', { AliasName: 'alias/main', TargetKeyId: one.id });
    const aliasArn = `arn:aws:kms:eu-central-1:${ACCOUNT}:alias/main`;
    const described = async (KeyId: string) => (await me.call('DescribeKey', { KeyId })).KeyMetadata.Arn;
    expect(await described('alias/main')).toBe(one.arn);
    expect(await described(aliasArn)).toBe(one.arn);
    await expect(me.call('CreateAlias', { AliasName: 'alias/main', TargetKeyId: two.id })).rejects.toEqual(
      refusal('AlreadyExistsException', `An alias with the name ${aliasArn} already exists`),
    );
    await me.call('UpdateAlias', { AliasName: 'alias/main', TargetKeyId: two.arn });
    expect(await described('alias/main')).toBe(two.arn);
    expect((await me.call('ListAliases', { KeyId: two.id })).Aliases).toEqual([
      {
        AliasName: 'alias/main',
        AliasArn: aliasArn,
        TargetKeyId: two.id,
        CreationDate: expect.any(String),
        LastUpdatedDate: expect.any(String),
      },
    ]);
    await me.call('DeleteAlias', { AliasName: 'alias/main' });
    await expect(me.call('DeleteAlias', { AliasName: 'alias/main' })).rejects.toEqual(
      refusal('NotFoundException', `Alias ${aliasArn} is not found.`),
    );
    await me.call('CreateAlias', { AliasName: 'alias/main', TargetKeyId: one.id });
  });

  it.each([
    ['main', 'ValidationException', 'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html'], // prettier-ignore
    ['alias/a:b', 'ValidationException', 'alias/a:b contains invalid characters for an alias'],
    ['alias/é', 'ValidationException', "1 validation error detected: Value 'alias/é' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"], // prettier-ignore
    ['alias/aws/mine', 'NotAuthorizedException', ''],
  ])('cannot be called %s', async (AliasName, code, message) => {
    const { id: TargetKeyId } = await me.newKey();
    await expect(me.call('CreateAlias', { AliasName, TargetKeyId })).rejects.toEqual(refusal(code, message));
  });

  it('name no aliases, and management takes none', async () => {
    await expect(me.call('CreateAlias', { AliasName: 'alias/x', TargetKeyId: 'alias/y' })).rejects.toEqual(
      refusal('ValidationException', 'Aliases must refer to keys. Not aliases'),
    );
    await expect(me.call('DisableKey', { KeyId: 'alias/x' })).rejects.toEqual(
      refusal('NotFoundException', "Invalid keyId 'alias/x'"),
    );
  });

  it('of one name are made once, however many ask', async () => {
    const { id: TargetKeyId } = await me.newKey();
    const AliasName = `alias/${randomUUID()}`;
    const made = await Promise.allSettled(
      Array.from({ length: 8 }, () => me.call('CreateAlias', { AliasName, TargetKeyId })),
    );
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const { Aliases } = await me.call('ListAliases', { KeyId: TargetKeyId });
    expect(Aliases).toHaveLength(1);
  });
});

describe('cryptographic operations', () => {
  const EncryptionContext = { 'aws:ebs:id': 'vol-1', purpose: 'test' };

  it('encrypt, decrypt and re-encrypt, and commit each use', async () => {
    const [one, two] = [await me.newKey(), await me.newKey()];
    const Plaintext = Buffer.from('attack at dawn');
    const encrypted = await me.call('Encrypt', { KeyId: one.id, Plaintext, EncryptionContext });
    expect(encrypted).toEqual({
      CiphertextBlob: expect.any(String),
      KeyId: one.arn,
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    });
    const { CiphertextBlob } = encrypted;
    const moved = await me.call('ReEncrypt', {
      CiphertextBlob,
      SourceEncryptionContext: { purpose: 'test', 'aws:ebs:id': 'vol-1' },
      DestinationKeyId: two.id,
    });
    expect(moved).toMatchObject({ SourceKeyId: one.arn, KeyId: two.arn });
    const decrypted = await me.call('Decrypt', { CiphertextBlob: moved.CiphertextBlob });
    expect(decrypted.Plaintext).toEqual(Plaintext);
    expect(decrypted).toMatchObject({ KeyId: two.arn, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' });
    const uses = [...(await usesOf(one.id)), ...(await usesOf(two.id))];
    expect(uses.map(({ data }) => data['operation'])).toEqual(['Encrypt', 'ReEncryptFrom', 'ReEncryptTo', 'Decrypt']);
    expect(uses[0]).toMatchObject({
      data: {
        keyArn: one.arn,
        encryptionContext: EncryptionContext,
        principalArn: `arn:aws:iam::${ACCOUNT}:root`,
        grantId: null,
      },
      metadata: { caller: { requestId: uses[0]!.data['requestId'], sourceIp: '192.0.2.7' } },
    });
    expect(JSON.stringify(uses)).not.toContain(Plaintext.toString('base64'));
  });

  it('generate data keys of the size asked for', async () => {
    const { id: KeyId, arn } = await me.newKey();
    for (const [size, length] of [
      [{ NumberOfBytes: 64 }, 64],
      [{ KeySpec: 'AES_256' }, 32],
      [{ KeySpec: 'AES_128' }, 16],
    ] as const) {
      const made = await me.call('GenerateDataKey', { KeyId, ...size, EncryptionContext });
      expect(made).toMatchObject({ KeyId: arn, KeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/) });
      expect(made.Plaintext).toHaveLength(length);
      const opened = await me.call('Decrypt', { CiphertextBlob: made.CiphertextBlob, EncryptionContext });
      expect(opened.Plaintext).toEqual(made.Plaintext);
    }
    const without = await me.call('GenerateDataKeyWithoutPlaintext', { KeyId, NumberOfBytes: 64 });
    expect(Object.keys(without).sort()).toEqual(['CiphertextBlob', 'KeyId', 'KeyMaterialId']);
    for (const size of [{}, { NumberOfBytes: 16, KeySpec: 'AES_128' }]) {
      await expect(me.call('GenerateDataKey', { KeyId, ...size })).rejects.toEqual(
        refusal('ValidationException', 'Please specify either number of bytes or key spec.'),
      );
    }
    await expect(me.call('GenerateDataKey', { KeyId, NumberOfBytes: 1025 })).rejects.toEqual(
      refusal(
        'ValidationException',
        "1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: " +
          'Member must have value less than or equal to 1024',
      ),
    );
  });

  it('refuse every wrong ciphertext with one error that says nothing', async () => {
    const { id: KeyId } = await me.newKey();
    const Plaintext = Buffer.from('x');
    const { CiphertextBlob } = await me.call('Encrypt', { KeyId, Plaintext, EncryptionContext });
    const blob = Buffer.from(CiphertextBlob, 'base64');
    const flipped = Buffer.from(blob);
    flipped[flipped.length - 1]! ^= 1;
    const material = Buffer.from(blob);
    material[40]! ^= 1; // The material id in the header.
    const wrong = [
      { CiphertextBlob },
      { CiphertextBlob, EncryptionContext: { ...EncryptionContext, more: '' } },
      { CiphertextBlob, EncryptionContext: { ...EncryptionContext, purpose: 'Test' } },
      { CiphertextBlob: flipped.toString('base64'), EncryptionContext },
      { CiphertextBlob: material.toString('base64'), EncryptionContext },
      { CiphertextBlob: blob.subarray(0, 100).toString('base64'), EncryptionContext },
      { CiphertextBlob: randomBytes(200).toString('base64') },
      { CiphertextBlob: randomBytes(200).toString('base64'), KeyId },
    ];
    const before = (await usesOf(KeyId)).length;
    for (const input of wrong) {
      await expect(me.call('Decrypt', input)).rejects.toEqual(refusal('InvalidCiphertextException'));
    }
    expect(await usesOf(KeyId)).toHaveLength(before);
  });

  it('keep a pair called __proto__', async () => {
    const { id: KeyId } = await me.newKey();
    const odd = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
    const { CiphertextBlob } = await me.call('Encrypt', { KeyId, Plaintext: Buffer.from('x'), EncryptionContext: odd });
    await expect(me.call('Decrypt', { CiphertextBlob })).rejects.toEqual(refusal('InvalidCiphertextException'));
    const opened = await me.call('Decrypt', { CiphertextBlob, EncryptionContext: odd });
    expect(opened.Plaintext.toString()).toBe('x');
    expect(JSON.stringify((await usesOf(KeyId))[0]!.data['encryptionContext'])).toBe('{"__proto__":"x"}');
  });

  it('know the key of a ciphertext, and keep to the one that is named', async () => {
    const [one, two] = [await me.newKey(), await me.newKey()];
    const { CiphertextBlob } = await me.call('Encrypt', { KeyId: one.id, Plaintext: Buffer.from('x') });
    await expect(me.call('Decrypt', { CiphertextBlob, KeyId: two.id })).rejects.toEqual(
      refusal(
        'IncorrectKeyException',
        'The key ID in the request does not identify a CMK that can perform this operation.',
      ),
    );
    const hidden = refusal(
      'AccessDeniedException',
      'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
    );
    await expect(new Caller(stack.bus, OTHER).call('Decrypt', { CiphertextBlob })).rejects.toEqual(hidden);
    await expect(me.as({ region: 'us-east-1' }).call('Decrypt', { CiphertextBlob })).rejects.toEqual(hidden);
  });

  it('check lengths', async () => {
    const { id: KeyId } = await me.newKey();
    const { CiphertextBlob } = await me.call('Encrypt', { KeyId, Plaintext: Buffer.alloc(4096, 1) });
    expect(Buffer.from(CiphertextBlob, 'base64').length).toBeLessThanOrEqual(6144);
    await expect(me.call('Encrypt', { KeyId, Plaintext: Buffer.alloc(4097) })).rejects.toEqual(
      refusal(
        'ValidationException',
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
      ),
    );
    await expect(me.call('Decrypt', { CiphertextBlob: '' })).rejects.toMatchObject({ code: 'ValidationException' });
    await expect(me.call('Decrypt', {})).rejects.toEqual(
      refusal(
        'ValidationException',
        "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
      ),
    );
  });

  it('refuse what they do not do', async () => {
    const { id: KeyId, arn } = await me.newKey();
    await expect(me.call('GenerateDataKey', { KeyId, KeySpec: 'AES_256', Recipient: {} })).rejects.toMatchObject({
      code: 'UnsupportedOperationException',
    });
    const EncryptionAlgorithm = 'RSAES_OAEP_SHA_1';
    await expect(me.call('Encrypt', { KeyId, Plaintext: Buffer.from('x'), EncryptionAlgorithm })).rejects.toEqual(
      refusal(
        'InvalidKeyUsageException',
        `Algorithm ${EncryptionAlgorithm} is incompatible with key spec SYMMETRIC_DEFAULT.`,
      ),
    );
    await expect(
      me.call('Encrypt', { KeyId, Plaintext: Buffer.from('x'), GrantTokens: ['nonsense'] }),
    ).rejects.toMatchObject({
      code: 'InvalidGrantTokenException',
    });
    for (const action of ['Encrypt', 'GenerateDataKey', 'GenerateDataKeyWithoutPlaintext']) {
      const size = action === 'Encrypt' ? { Plaintext: Buffer.from('x') } : { KeySpec: 'AES_256' };
      await expect(me.call(action, { KeyId, ...size, DryRun: true })).rejects.toEqual(
        refusal('DryRunOperationException', 'The request would have succeeded, but the DryRun option is set.'),
      );
    }
    expect(await usesOf(KeyId)).toEqual([]);
    await me.call('DisableKey', { KeyId });
    await expect(me.call('GenerateDataKey', { KeyId, KeySpec: 'AES_256', DryRun: true })).rejects.toEqual(
      refusal('DisabledException', `${arn} is disabled.`),
    );
  });

  it('stop at once when the key is disabled or to be deleted, and go on afterwards', async () => {
    const { id: KeyId, arn } = await me.newKey();
    const { CiphertextBlob } = await me.call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
    await me.call('DisableKey', { KeyId });
    await expect(me.call('Decrypt', { CiphertextBlob })).rejects.toEqual(
      refusal('DisabledException', `${arn} is disabled.`),
    );
    await me.call('ScheduleKeyDeletion', { KeyId });
    await expect(me.call('Decrypt', { CiphertextBlob })).rejects.toEqual(
      refusal('KMSInvalidStateException', `${arn} is pending deletion.`),
    );
    await me.call('CancelKeyDeletion', { KeyId });
    await me.call('EnableKey', { KeyId });
    expect((await me.call('Decrypt', { CiphertextBlob })).Plaintext.toString()).toBe('x');
  });

  it('give plaintext to nobody who names no key to seal it to, and take none that is not sealed', async () => {
    const { id: KeyId } = await me.newKey();
    const { CiphertextBlob } = await me.call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
    await expect(me.raw('Decrypt', { CiphertextBlob })).rejects.toMatchObject({ code: 'ValidationException' });
    await expect(me.raw('Decrypt', { CiphertextBlob }, { recipientPublicKey: 'AAAA' })).rejects.toMatchObject({
      code: 'ValidationException',
    });
    await expect(me.raw('GenerateDataKey', { KeyId, KeySpec: 'AES_256' })).rejects.toMatchObject({
      code: 'ValidationException',
    });
    await expect(me.raw('Encrypt', { KeyId, Plaintext: 'eA==' })).rejects.toMatchObject({
      code: 'ValidationException',
    });
  });

  it('do not wait for each other', async () => {
    const { id: KeyId } = await me.newKey();
    await Promise.all(
      Array.from({ length: 60 }, () => me.call('GenerateDataKeyWithoutPlaintext', { KeyId, NumberOfBytes: 64 })),
    );
    expect(await usesOf(KeyId)).toHaveLength(60);
  });
});

describe('grants', () => {
  const GranteePrincipal = `arn:aws:iam::${OTHER}:root`;
  const them = () => new Caller(stack.bus, OTHER);

  it('let another account do what they list, under their constraints, until they end', async () => {
    const { id: KeyId, arn } = await me.newKey();
    const pairs = { 'aws:ebs:id': 'vol-1' };
    const terms = { KeyId, GranteePrincipal, Operations: ['Decrypt', 'DescribeKey'] };
    const Constraints = { EncryptionContextSubset: pairs };
    const context = { ...pairs, more: 'm' };
    const { CiphertextBlob } = await me.call('Encrypt', {
      KeyId,
      Plaintext: Buffer.from('x'),
      EncryptionContext: context,
    });
    const decrypt = () => them().call('Decrypt', { KeyId: arn, CiphertextBlob, EncryptionContext: context });
    await expect(decrypt()).rejects.toMatchObject({ code: 'AccessDeniedException' });
    const { GrantId, GrantToken } = await me.call('CreateGrant', { ...terms, Constraints });
    expect(GrantId).toMatch(/^[0-9a-f]{64}$/);
    expect((await decrypt()).Plaintext.toString()).toBe('x');
    expect((await usesOf(KeyId)).at(-1)!.data).toMatchObject({ grantId: GrantId, principalArn: GranteePrincipal });
    await them().call('DescribeKey', { KeyId: arn, GrantTokens: [GrantToken] });
    await expect(
      them().call('Encrypt', { KeyId: arn, Plaintext: Buffer.from('x'), EncryptionContext: context }),
    ).rejects.toEqual(
      refusal(
        'AccessDeniedException',
        `User: ${GranteePrincipal} is not authorized to perform: kms:Encrypt on resource: ${arn} because no resource-based policy allows the kms:Encrypt action`,
      ),
    );
    await expect(
      them().call('Decrypt', { KeyId: arn, CiphertextBlob, EncryptionContext: { more: 'm' } }),
    ).rejects.toMatchObject({
      code: 'AccessDeniedException',
    });
    expect((await me.call('ListGrants', { KeyId })).Grants).toEqual([
      {
        KeyId: arn,
        GrantId,
        Name: '',
        CreationDate: expect.any(String),
        GranteePrincipal,
        IssuingAccount: `arn:aws:iam::${ACCOUNT}:root`,
        Operations: ['Decrypt', 'DescribeKey'],
        Constraints,
      },
    ]);
    await me.call('RevokeGrant', { KeyId, GrantId });
    await expect(decrypt()).rejects.toMatchObject({ code: 'AccessDeniedException' });
    await expect(me.call('RevokeGrant', { KeyId, GrantId })).rejects.toEqual(
      refusal('NotFoundException', `Grant ID ${GrantId} not found`),
    );
  });

  it('with a name are made once, with a new token each time', async () => {
    const { id: KeyId } = await me.newKey();
    const terms = { KeyId, GranteePrincipal, Operations: ['Encrypt', 'Decrypt'], Name: 'once' };
    const made = await Promise.all(Array.from({ length: 8 }, () => me.call('CreateGrant', terms)));
    expect(new Set(made.map(({ GrantId }) => GrantId)).size).toBe(1);
    expect(new Set(made.map(({ GrantToken }) => GrantToken)).size).toBe(8);
    const again = await me.call('CreateGrant', { ...terms, Operations: ['Decrypt', 'Encrypt'] });
    expect(again.GrantId).toBe(made[0].GrantId);
    const other = await me.call('CreateGrant', { ...terms, Operations: ['Decrypt'] });
    expect(other.GrantId).not.toBe(made[0].GrantId);
    await them()
      .call('RetireGrant', { GrantToken: made[3].GrantToken })
      .then(
        () => expect.unreachable('the grantee may not retire this grant'),
        (error: unknown) => expect(error).toMatchObject({ code: 'AccessDeniedException' }),
      );
    await me.call('RetireGrant', { GrantToken: made[3].GrantToken });
    const anew = await me.call('CreateGrant', terms);
    expect(anew.GrantId).not.toBe(made[0].GrantId);
  });

  it('are retired by whoever they name, the account that issued them, or a grantee who may', async () => {
    const { id: KeyId, arn } = await me.newKey();
    const grant = async (extra: object) => {
      const { GrantId } = await me.call('CreateGrant', { KeyId, GranteePrincipal, Operations: ['Decrypt'], ...extra });
      return { KeyId: arn, GrantId };
    };
    await them().call('RetireGrant', await grant({ RetiringPrincipal: GranteePrincipal }));
    await them().call('RetireGrant', await grant({ Operations: ['Decrypt', 'RetireGrant'] }));
    await me.call('RetireGrant', await grant({}));
    const kept = await grant({});
    await expect(them().call('RetireGrant', kept)).rejects.toMatchObject({ code: 'AccessDeniedException' });
    await expect(me.call('RetireGrant', { GrantToken: 'x' })).rejects.toMatchObject({
      code: 'InvalidGrantTokenException',
    });
    await expect(me.call('RetireGrant', { GrantId: kept.GrantId })).rejects.toMatchObject({
      code: 'ValidationException',
    });
    await expect(me.call('RetireGrant', { ...kept, DryRun: true })).rejects.toMatchObject({
      code: 'DryRunOperationException',
    });
    expect((await me.call('ListGrants', { KeyId })).Grants).toHaveLength(1);
    const retirable = await grant({ RetiringPrincipal: GranteePrincipal });
    const { Grants } = await them().call('ListRetirableGrants', { RetiringPrincipal: GranteePrincipal });
    expect(Grants.map(({ GrantId }: { GrantId: string }) => GrantId)).toEqual([retirable.GrantId]);
    await expect(me.call('ListRetirableGrants', { RetiringPrincipal: GranteePrincipal })).rejects.toMatchObject({
      code: 'AccessDeniedException',
    });
  });

  it('pass on no more than they give', async () => {
    const { id: KeyId, arn } = await me.newKey();
    const context = { 'aws:ebs:id': 'vol-1' };
    await me.call('CreateGrant', {
      KeyId,
      GranteePrincipal,
      Operations: ['Decrypt', 'CreateGrant'],
      Constraints: { EncryptionContextSubset: context },
    });
    const third = { KeyId: arn, GranteePrincipal: 'arn:aws:iam::999999999999:root' };
    const child = (Operations: string[], Constraints?: object) =>
      them().call('CreateGrant', { ...third, Operations, Constraints });
    await child(['Decrypt'], { EncryptionContextSubset: { ...context, more: 'm' } });
    await child(['Decrypt'], { EncryptionContextEquals: context });
    for (const refused of [
      child(['Encrypt'], { EncryptionContextSubset: context }),
      child(['Decrypt']),
      child(['Decrypt'], { EncryptionContextSubset: { more: 'm' } }),
    ]) {
      await expect(refused).rejects.toMatchObject({ code: 'AccessDeniedException' });
    }
  });

  it.each([
    [{ GranteePrincipal: 'bob' }, 'InvalidArnException'],
    [{ GranteePrincipal: 'arn:aws:iam::111122223333:group/g' }, 'InvalidArnException'],
    [{ GranteePrincipal: EC2 }, 'InvalidArnException'],
    [{ RetiringPrincipal: 'nobody' }, 'InvalidArnException'],
    [{ Operations: ['Sign'] }, 'ValidationException'],
    [{ Operations: ['Nonsense'] }, 'ValidationException'],
    [{ Operations: [] }, 'ValidationException'],
    [{ Constraints: { SourceArn: 'arn:aws:s3:::b' } }, 'UnsupportedOperationException'],
    [{ Constraints: { EncryptionContextSubset: Object.fromEntries(Array.from({ length: 9 }, (_, n) => [String(n), '']))} }, 'ValidationException'], // prettier-ignore
    [{ Constraints: { EncryptionContextEquals: { k: 'v'.repeat(385) } } }, 'ValidationException'],
    [{ KeyId: 'alias/x' }, 'NotFoundException'],
    [{ DryRun: true }, 'DryRunOperationException'],
  ])('are not made from %j', async (wrong, code) => {
    const { id: KeyId } = await me.newKey();
    const terms = { KeyId, GranteePrincipal, Operations: ['Decrypt'], ...wrong };
    await expect(me.call('CreateGrant', terms)).rejects.toMatchObject({ code });
    expect((await me.call('ListGrants', { KeyId })).Grants).toEqual([]);
  });

  it('stay quick to find among thousands on one key', async () => {
    const { id: KeyId, arn } = await me.newKey();
    await sql.query(
      `INSERT INTO grants SELECT md5($1 || n) || md5(n || $1), $1, $2, 'eu-central-1', $3, '', '', $4, NULL, '{Decrypt}',
         jsonb_build_object('EncryptionContextSubset', jsonb_build_object('aws:ebs:id', 'vol-' || n)),
         encode(sha256(convert_to('["aws:ebs:id","vol-' || n || '"]', 'UTF8')), 'hex'), now(), -n
       FROM generate_series(1, 20000) AS s (n)`,
      [KeyId, arn, ACCOUNT, GranteePrincipal],
    );
    await sql.query('ANALYZE grants');
    const EncryptionContext = { 'aws:ebs:id': 'vol-19999' };
    const { CiphertextBlob } = await me.call('Encrypt', { KeyId, Plaintext: Buffer.from('x'), EncryptionContext });
    const decrypt = () => them().call('Decrypt', { KeyId: arn, CiphertextBlob, EncryptionContext });
    await decrypt();
    const startMs = performance.now();
    for (let n = 0; n < 20; n++) await decrypt();
    expect((performance.now() - startMs) / 20).toBeLessThan(50);
    await sql.query('DELETE FROM grants WHERE key_id = $1', [KeyId]);
  });
});

describe('EBS', () => {
  const viaEc2 = (caller: Caller) => caller.as({ viaService: EC2 });

  it('has a key of its own per account and Region, made once, on first need', async () => {
    const caller = new Caller(stack.bus, '123412341234');
    const { Aliases } = await caller.call('ListAliases');
    expect(Aliases).toEqual([
      { AliasName: 'alias/aws/ebs', AliasArn: 'arn:aws:kms:eu-central-1:123412341234:alias/aws/ebs' },
    ]);
    expect((await caller.call('ListKeys')).Keys).toEqual([]);
    const answers = await Promise.all(
      Array.from({ length: 12 }, () =>
        viaEc2(caller).call('GenerateDataKeyWithoutPlaintext', { KeyId: 'alias/aws/ebs', NumberOfBytes: 64 }),
      ),
    );
    expect(new Set(answers.map(({ KeyId }) => KeyId)).size).toBe(1);
    const { Keys } = await caller.call('ListKeys');
    expect(Keys).toHaveLength(1);
    const listed = await caller.call('ListAliases');
    expect(listed.Aliases[0]).toMatchObject({ AliasName: 'alias/aws/ebs', TargetKeyId: Keys[0].KeyId });
    const { rows } = await sql.query('SELECT count(*)::int AS n FROM key_material WHERE key_id = $1', [Keys[0].KeyId]);
    expect(rows).toEqual([{ n: 1 }]);
    const elsewhere = await caller.as({ region: 'us-east-1' }).call('DescribeKey', { KeyId: 'alias/aws/ebs' });
    expect(elsewhere.KeyMetadata).toMatchObject({
      KeyManager: 'AWS',
      Description: 'Default key that protects my EBS volumes when no other key is defined',
      Arn: expect.stringContaining('arn:aws:kms:us-east-1:123412341234:key/'),
    });
  });

  it('gets its key finished when a process died half-way', async () => {
    const caller = new Caller(stack.bus, '123412341235');
    const keyId = randomUUID();
    const at = new Date().toISOString();
    const event = { type: 'AliasCreated', aliasName: 'alias/aws/ebs', accountId: '123412341235', region: 'eu-central-1', targetKeyId: keyId, at }; // prettier-ignore
    await sql.query(
      `INSERT INTO events (stream_id, version, event_id, type, schema_version, data, metadata, time)
       VALUES ('alias-123412341235-eu-central-1-alias/aws/ebs', 1, gen_random_uuid(), 'AliasCreated', 1, $1, '{}', now())`,
      [JSON.stringify(event)],
    );
    await sql.query(`INSERT INTO aliases VALUES ('123412341235', 'eu-central-1', 'alias/aws/ebs', $1, now(), now())`, [
      keyId,
    ]);
    expect((await caller.call('ListAliases')).Aliases[0]).not.toHaveProperty('TargetKeyId');
    const { KeyMetadata } = await caller.call('DescribeKey', { KeyId: 'alias/aws/ebs' });
    expect(KeyMetadata.KeyId).toBe(keyId);
  });

  it('uses its key for everyone in the account, who else may only look at it', async () => {
    const { KeyMetadata } = await me.call('DescribeKey', { KeyId: 'alias/aws/ebs' }).then(
      (answer) => answer,
      () => viaEc2(me).call('DescribeKey', { KeyId: 'alias/aws/ebs' }),
    );
    const KeyId = KeyMetadata.Arn;
    const user = { type: 'User', arn: `arn:aws:iam::${ACCOUNT}:user/bob`, accountId: ACCOUNT, principalId: 'AIDAB' };
    const bob = me.as({ principal: user as never });
    await viaEc2(bob).call('GenerateDataKeyWithoutPlaintext', { KeyId, NumberOfBytes: 64 });
    await expect(bob.call('GenerateDataKeyWithoutPlaintext', { KeyId, NumberOfBytes: 64 })).rejects.toMatchObject({
      code: 'AccessDeniedException',
    });
    await expect(me.call('Encrypt', { KeyId, Plaintext: Buffer.from('x') })).rejects.toMatchObject({
      code: 'AccessDeniedException',
    });
    for (const action of ['DisableKey', 'ScheduleKeyDeletion', 'EnableKey']) {
      await expect(me.call(action, { KeyId })).rejects.toMatchObject({ code: 'AccessDeniedException' });
    }
    const foreigner = viaEc2(new Caller(stack.bus, OTHER));
    await expect(foreigner.call('GenerateDataKeyWithoutPlaintext', { KeyId, NumberOfBytes: 64 })).rejects.toMatchObject(
      {
        code: 'AccessDeniedException',
      },
    );
    expect(JSON.parse((await me.call('GetKeyPolicy', { KeyId })).Policy).Id).toBe('auto-ebs-2');
  });

  it('creates a volume, attaches it and detaches it under grants only', async () => {
    const { id: KeyId, arn } = await me.newKey();
    const EncryptionContext = { 'aws:ebs:id': 'vol-0123456789abcdef0' };
    const forUser = viaEc2(me);
    const { CiphertextBlob } = await forUser.call('GenerateDataKeyWithoutPlaintext', {
      KeyId,
      NumberOfBytes: 64,
      EncryptionContext,
    });
    const host = me.as({ principal: hostOf(ACCOUNT, 'i-0123456789abcdef0') });
    const ebs = me.as({ principal: serviceOf(ACCOUNT) });
    const decrypt = (caller: Caller) => caller.call('Decrypt', { KeyId: arn, CiphertextBlob, EncryptionContext });
    await expect(decrypt(host)).rejects.toMatchObject({ code: 'AccessDeniedException' });
    await expect(decrypt(ebs)).rejects.toMatchObject({ code: 'AccessDeniedException' });
    const grant = (GranteePrincipal: string) =>
      forUser.call('CreateGrant', {
        KeyId,
        GranteePrincipal,
        RetiringPrincipal: EC2,
        Operations: ['Decrypt'],
        Constraints: { EncryptionContextSubset: EncryptionContext },
      });
    const attached = await grant(hostOf(ACCOUNT, 'i-0123456789abcdef0').arn);
    expect((await decrypt(host)).Plaintext).toHaveLength(64);
    await expect(decrypt(me.as({ principal: hostOf(ACCOUNT, 'i-1') }))).rejects.toMatchObject({
      code: 'AccessDeniedException',
    });
    await grant(EC2);
    expect((await decrypt(ebs)).Plaintext).toHaveLength(64);
    await ebs.call('RetireGrant', { KeyId: arn, GrantId: attached.GrantId });
    await expect(decrypt(host)).rejects.toMatchObject({ code: 'AccessDeniedException' });
    await me.call('DisableKey', { KeyId });
    await expect(decrypt(ebs)).rejects.toMatchObject({ code: 'DisabledException', message: `${arn} is disabled.` });
  });
});

describe('time and storage', () => {
  it('a key is deleted when its time has come, and all that was under it is lost', async () => {
    const { id: KeyId, arn } = await me.newKey();
    const AliasName = `alias/${KeyId}`;
    await me.call('CreateAlias', { AliasName, TargetKeyId: KeyId });
    const { CiphertextBlob } = await me.call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
    await me.call('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 });
    await turnClocks(stack.bus.connection, ['kms'], 7 * 86_400_000 + 1000);
    try {
      await expect
        .poll(
          () =>
            me.call('DescribeKey', { KeyId }).then(
              () => '',
              (error: Error) => error.message,
            ),
          { timeout: 8000 },
        ) // prettier-ignore
        .toBe(`Key '${arn}' does not exist`);
    } finally {
      await turnClocks(stack.bus.connection, ['kms'], 0);
    }
    await expect(me.call('Decrypt', { CiphertextBlob })).rejects.toMatchObject({ code: 'AccessDeniedException' });
    const { rows } = await sql.query('SELECT FROM key_material WHERE key_id = $1', [KeyId]);
    expect(rows).toHaveLength(0);
    const other = await me.newKey();
    await me.call('CreateAlias', { AliasName, TargetKeyId: other.id });
  });

  it('key material is in no table in the clear, and the root key in a file that is ours alone', async () => {
    const file = join(folder, 'keys', 'root.key');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const rootKey = Buffer.from((await readFile(file, 'utf8')).trim(), 'base64');
    expect(rootKey).toHaveLength(32);
    const { rows } = await sql.query<{ wrapped: Buffer }>('SELECT wrapped FROM key_material');
    expect(rows.length).toBeGreaterThan(10);
    for (const { wrapped } of rows) expect(wrapped.includes(rootKey)).toBe(false);
  });

  it('goes on after a restart, and not with another root key', async () => {
    const { id: KeyId } = await me.newKey();
    const { CiphertextBlob } = await me.call('Encrypt', { KeyId, Plaintext: Buffer.from('kept') });
    const { GrantToken } = await me.call('CreateGrant', {
      KeyId,
      GranteePrincipal: `arn:aws:iam::${OTHER}:root`,
      Operations: ['Decrypt'],
    });
    await service.close();
    const moved = { ...environment, settings: { rootKeyFile: join(folder, 'other.key') } };
    await expect(start(moved)).rejects.toThrow(/other\.key is missing, and existing keys are wrapped by its root key/);
    const wrong = { ...environment, settings: { rootKeySecret: randomBytes(32).toString('base64') } };
    await expect(start(wrong)).rejects.toThrow(/lacks root key/);
    service = await start(environment);
    expect((await me.call('Decrypt', { CiphertextBlob })).Plaintext.toString()).toBe('kept');
    await me.call('RetireGrant', { GrantToken });
  });

  it('forgets everything on a reset but the root key', async () => {
    const { id: KeyId } = await me.newKey();
    await resetServices(stack.bus.connection, ['kms']);
    await expect(me.call('DescribeKey', { KeyId })).rejects.toMatchObject({ code: 'NotFoundException' });
    expect((await me.call('ListKeys')).Keys).toEqual([]);
    await me.newKey();
  });
});
