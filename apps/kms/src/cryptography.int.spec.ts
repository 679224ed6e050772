import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ACCOUNT, OTHER, refusal, runningKms } from './testing/running-kms.ts';

const kms = runningKms();
const me = () => kms().caller(ACCOUNT);

describe('cryptographic operations', () => {
  const EncryptionContext = { 'aws:ebs:id': 'vol-1', purpose: 'test' };

  it('encrypt, decrypt and re-encrypt, and commit each use', async () => {
    const [one, two] = [await me().newKey(), await me().newKey()];
    const Plaintext = Buffer.from('attack at dawn');
    const encrypted = await me().call('Encrypt', { KeyId: one.id, Plaintext, EncryptionContext });
    expect(encrypted).toEqual({
      CiphertextBlob: expect.any(String),
      KeyId: one.arn,
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    });
    const { CiphertextBlob } = encrypted;
    const moved = await me().call('ReEncrypt', {
      CiphertextBlob,
      SourceEncryptionContext: { purpose: 'test', 'aws:ebs:id': 'vol-1' },
      DestinationKeyId: two.id,
    });
    expect(moved).toMatchObject({ SourceKeyId: one.arn, KeyId: two.arn });
    const decrypted = await me().call('Decrypt', { CiphertextBlob: moved.CiphertextBlob });
    expect(decrypted.Plaintext).toEqual(Plaintext);
    expect(decrypted).toMatchObject({ KeyId: two.arn, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' });
    const uses = [...(await kms().usesOf(one.id)), ...(await kms().usesOf(two.id))];
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
    const { id: KeyId, arn } = await me().newKey();
    for (const [size, length] of [
      [{ NumberOfBytes: 64 }, 64],
      [{ KeySpec: 'AES_256' }, 32],
      [{ KeySpec: 'AES_128' }, 16],
    ] as const) {
      const made = await me().call('GenerateDataKey', { KeyId, ...size, EncryptionContext });
      expect(made).toMatchObject({ KeyId: arn, KeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/) });
      expect(made.Plaintext).toHaveLength(length);
      const opened = await me().call('Decrypt', { CiphertextBlob: made.CiphertextBlob, EncryptionContext });
      expect(opened.Plaintext).toEqual(made.Plaintext);
    }
    const without = await me().call('GenerateDataKeyWithoutPlaintext', { KeyId, NumberOfBytes: 64 });
    expect(Object.keys(without).sort()).toEqual(['CiphertextBlob', 'KeyId', 'KeyMaterialId']);
    for (const size of [{}, { NumberOfBytes: 16, KeySpec: 'AES_128' }]) {
      await expect(me().call('GenerateDataKey', { KeyId, ...size })).rejects.toEqual(
        refusal('ValidationException', 'Please specify either number of bytes or key spec.'),
      );
    }
    await expect(me().call('GenerateDataKey', { KeyId, NumberOfBytes: 1025 })).rejects.toEqual(
      refusal(
        'ValidationException',
        "1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: " +
          'Member must have value less than or equal to 1024',
      ),
    );
  });

  it('refuse every wrong ciphertext with one error that says nothing', async () => {
    const { id: KeyId } = await me().newKey();
    const Plaintext = Buffer.from('x');
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext, EncryptionContext });
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
    const before = (await kms().usesOf(KeyId)).length;
    for (const input of wrong) {
      await expect(me().call('Decrypt', input)).rejects.toEqual(refusal('InvalidCiphertextException'));
    }
    expect(await kms().usesOf(KeyId)).toHaveLength(before);
  });

  it('keep a pair called __proto__', async () => {
    const { id: KeyId } = await me().newKey();
    const odd = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
    const { CiphertextBlob } = await me().call('Encrypt', {
      KeyId,
      Plaintext: Buffer.from('x'),
      EncryptionContext: odd,
    });
    await expect(me().call('Decrypt', { CiphertextBlob })).rejects.toEqual(refusal('InvalidCiphertextException'));
    const opened = await me().call('Decrypt', { CiphertextBlob, EncryptionContext: odd });
    expect(opened.Plaintext.toString()).toBe('x');
    expect(JSON.stringify((await kms().usesOf(KeyId))[0]!.data['encryptionContext'])).toBe('{"__proto__":"x"}');
  });

  it('know the key of a ciphertext, and keep to the one that is named', async () => {
    const [one, two] = [await me().newKey(), await me().newKey()];
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId: one.id, Plaintext: Buffer.from('x') });
    await expect(me().call('Decrypt', { CiphertextBlob, KeyId: two.id })).rejects.toEqual(
      refusal(
        'IncorrectKeyException',
        'The key ID in the request does not identify a CMK that can perform this operation.',
      ),
    );
    const hidden = refusal(
      'AccessDeniedException',
      'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
    );
    await expect(kms().caller(OTHER).call('Decrypt', { CiphertextBlob })).rejects.toEqual(hidden);
    await expect(me().as({ region: 'us-east-1' }).call('Decrypt', { CiphertextBlob })).rejects.toEqual(hidden);
  });

  it('check lengths', async () => {
    const { id: KeyId } = await me().newKey();
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.alloc(4096, 1) });
    expect(Buffer.from(CiphertextBlob, 'base64').length).toBeLessThanOrEqual(6144);
    await expect(me().call('Encrypt', { KeyId, Plaintext: Buffer.alloc(4097) })).rejects.toEqual(
      refusal(
        'ValidationException',
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
      ),
    );
    await expect(me().call('Decrypt', { CiphertextBlob: '' })).rejects.toMatchObject({ code: 'ValidationException' });
    await expect(me().call('Decrypt', {})).rejects.toEqual(
      refusal(
        'ValidationException',
        "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
      ),
    );
  });

  it('refuse what they do not do', async () => {
    const { id: KeyId, arn } = await me().newKey();
    await expect(me().call('GenerateDataKey', { KeyId, KeySpec: 'AES_256', Recipient: {} })).rejects.toMatchObject({
      code: 'UnsupportedOperationException',
    });
    const EncryptionAlgorithm = 'RSAES_OAEP_SHA_1';
    await expect(me().call('Encrypt', { KeyId, Plaintext: Buffer.from('x'), EncryptionAlgorithm })).rejects.toEqual(
      refusal(
        'InvalidKeyUsageException',
        `Algorithm ${EncryptionAlgorithm} is incompatible with key spec SYMMETRIC_DEFAULT.`,
      ),
    );
    await expect(
      me().call('Encrypt', { KeyId, Plaintext: Buffer.from('x'), GrantTokens: ['nonsense'] }),
    ).rejects.toMatchObject({
      code: 'InvalidGrantTokenException',
    });
    for (const action of ['Encrypt', 'GenerateDataKey', 'GenerateDataKeyWithoutPlaintext']) {
      const size = action === 'Encrypt' ? { Plaintext: Buffer.from('x') } : { KeySpec: 'AES_256' };
      await expect(me().call(action, { KeyId, ...size, DryRun: true })).rejects.toEqual(
        refusal('DryRunOperationException', 'The request would have succeeded, but the DryRun option is set.'),
      );
    }
    expect(await kms().usesOf(KeyId)).toEqual([]);
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
    for (const [action, context] of [
      ['Decrypt', 'EncryptionContext'],
      ['ReEncrypt', 'SourceEncryptionContext'],
    ] as const) {
      const other = { CiphertextBlob, DestinationKeyId: KeyId, [context]: { a: 'b' }, DryRun: true };
      const { DestinationKeyId: _, ...alone } = other;
      await expect(me().call(action, action === 'Decrypt' ? alone : other)).rejects.toMatchObject({
        code: 'InvalidCiphertextException',
      });
    }
    await me().call('DisableKey', { KeyId });
    await expect(me().call('GenerateDataKey', { KeyId, KeySpec: 'AES_256', DryRun: true })).rejects.toEqual(
      refusal('DisabledException', `${arn} is disabled.`),
    );
  });

  it('stop at once when the key is disabled or to be deleted, and go on afterwards', async () => {
    const { id: KeyId, arn } = await me().newKey();
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
    await me().call('DisableKey', { KeyId });
    await expect(me().call('Decrypt', { CiphertextBlob })).rejects.toEqual(
      refusal('DisabledException', `${arn} is disabled.`),
    );
    await me().call('ScheduleKeyDeletion', { KeyId });
    await expect(me().call('Decrypt', { CiphertextBlob })).rejects.toEqual(
      refusal('KMSInvalidStateException', `${arn} is pending deletion.`),
    );
    await me().call('CancelKeyDeletion', { KeyId });
    await me().call('EnableKey', { KeyId });
    expect((await me().call('Decrypt', { CiphertextBlob })).Plaintext.toString()).toBe('x');
  });

  it('give plaintext to nobody who names no key to seal it to, and take none that is not sealed', async () => {
    const { id: KeyId } = await me().newKey();
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
    await expect(me().raw('Decrypt', { CiphertextBlob })).rejects.toMatchObject({ code: 'ValidationException' });
    await expect(me().raw('Decrypt', { CiphertextBlob }, { recipientPublicKey: 'AAAA' })).rejects.toMatchObject({
      code: 'ValidationException',
    });
    await expect(me().raw('GenerateDataKey', { KeyId, KeySpec: 'AES_256' })).rejects.toMatchObject({
      code: 'ValidationException',
    });
    await expect(me().raw('Encrypt', { KeyId, Plaintext: 'eA==' })).rejects.toMatchObject({
      code: 'ValidationException',
    });
  });

  it('do not wait for each other', async () => {
    const { id: KeyId } = await me().newKey();
    await Promise.all(
      Array.from({ length: 60 }, () => me().call('GenerateDataKeyWithoutPlaintext', { KeyId, NumberOfBytes: 64 })),
    );
    expect(await kms().usesOf(KeyId)).toHaveLength(60);
  });
});
