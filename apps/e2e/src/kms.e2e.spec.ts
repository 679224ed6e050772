import {
  CreateAliasCommand,
  CreateGrantCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  ListAliasesCommand,
  ListGrantsCommand,
  ReEncryptCommand,
  RetireGrantCommand,
  RevokeGrantCommand,
} from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientsFor } from './clients.ts';
import { type Stack, startStack } from './stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.stop());

const kms = () => clientsFor(stack.endpoint, '111122223333').kms;
const newKey = async () => (await kms().send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? '';
const context = { purpose: 'test', 'aws:ebs:id': 'vol-1' };

describe('KMS through the official client', () => {
  it('creates, describes and names a key', async () => {
    const created = await kms().send(new CreateKeyCommand({ Description: 'first' }));
    expect(created.KeyMetadata).toMatchObject({
      AWSAccountId: '111122223333',
      Description: 'first',
      Enabled: true,
      KeyState: 'Enabled',
      KeyManager: 'CUSTOMER',
      KeySpec: 'SYMMETRIC_DEFAULT',
      KeyUsage: 'ENCRYPT_DECRYPT',
      Origin: 'AWS_KMS',
      MultiRegion: false,
    });
    const keyId = created.KeyMetadata?.KeyId ?? '';
    await kms().send(new CreateAliasCommand({ AliasName: 'alias/first', TargetKeyId: keyId }));
    const byAlias = await kms().send(new DescribeKeyCommand({ KeyId: 'alias/first' }));
    expect(byAlias.KeyMetadata?.Arn).toBe(`arn:aws:kms:eu-central-1:111122223333:key/${keyId}`);
    const { Aliases } = await kms().send(new ListAliasesCommand({}));
    expect(Aliases?.map((alias) => alias.AliasName)).toEqual(expect.arrayContaining(['alias/first', 'alias/aws/ebs']));
  });

  it('encrypts, decrypts and re-encrypts under a context', async () => {
    const [a, b] = [await newKey(), await newKey()];
    const plaintext = Buffer.from('attack at dawn');
    const encrypted = await kms().send(
      new EncryptCommand({ KeyId: a, Plaintext: plaintext, EncryptionContext: context }),
    );
    expect(encrypted.KeyId).toBe(a);
    const moved = await kms().send(
      new ReEncryptCommand({
        CiphertextBlob: encrypted.CiphertextBlob,
        SourceEncryptionContext: context,
        DestinationKeyId: b,
      }),
    );
    expect([moved.SourceKeyId, moved.KeyId]).toEqual([a, b]);
    const decrypted = await kms().send(new DecryptCommand({ CiphertextBlob: moved.CiphertextBlob }));
    expect(Buffer.from(decrypted.Plaintext ?? []).toString()).toBe('attack at dawn');
    await expect(
      kms().send(
        new DecryptCommand({ CiphertextBlob: encrypted.CiphertextBlob, EncryptionContext: { purpose: 'other' } }),
      ),
    ).rejects.toMatchObject({ name: 'InvalidCiphertextException', $metadata: { httpStatusCode: 400 } });
  });

  it('generates data keys that decrypt to what they said', async () => {
    const key = await newKey();
    const made = await kms().send(
      new GenerateDataKeyCommand({ KeyId: key, NumberOfBytes: 64, EncryptionContext: context }),
    );
    const opened = await kms().send(
      new DecryptCommand({ CiphertextBlob: made.CiphertextBlob, EncryptionContext: context }),
    );
    expect(made.Plaintext).toHaveLength(64);
    expect(opened.Plaintext).toEqual(made.Plaintext);
    const without = await kms().send(new GenerateDataKeyWithoutPlaintextCommand({ KeyId: key, KeySpec: 'AES_256' }));
    expect(without).not.toHaveProperty('Plaintext');
    const { Plaintext } = await kms().send(new DecryptCommand({ CiphertextBlob: without.CiphertextBlob }));
    expect(Plaintext).toHaveLength(32);
  });

  it('stops using a disabled key at once and goes on when it is enabled', async () => {
    const key = await newKey();
    const { CiphertextBlob } = await kms().send(new EncryptCommand({ KeyId: key, Plaintext: Buffer.from('x') }));
    await kms().send(new DisableKeyCommand({ KeyId: key }));
    await expect(kms().send(new DecryptCommand({ CiphertextBlob }))).rejects.toMatchObject({
      name: 'DisabledException',
      message: `${key} is disabled.`,
    });
    await kms().send(new EnableKeyCommand({ KeyId: key }));
    await expect(kms().send(new DecryptCommand({ CiphertextBlob }))).resolves.toMatchObject({ KeyId: key });
  });

  it('creates, lists, retires and revokes grants', async () => {
    const key = await newKey();
    const grant = (name: string) =>
      kms().send(
        new CreateGrantCommand({
          KeyId: key,
          Name: name,
          GranteePrincipal: 'arn:aws:iam::111122223333:root',
          Operations: ['Decrypt', 'Encrypt'],
          Constraints: { EncryptionContextSubset: { purpose: 'test' } },
        }),
      );
    const [first, second] = [await grant('first'), await grant('second')];
    expect((await grant('first')).GrantId).toBe(first.GrantId);
    const { Grants } = await kms().send(new ListGrantsCommand({ KeyId: key }));
    expect(Grants?.map(({ GrantId }) => GrantId).sort()).toEqual([first.GrantId, second.GrantId].sort());
    await kms().send(new RetireGrantCommand({ GrantToken: first.GrantToken }));
    await kms().send(new RevokeGrantCommand({ KeyId: key, GrantId: second.GrantId }));
    expect((await kms().send(new ListGrantsCommand({ KeyId: key }))).Grants).toEqual([]);
  });

  it('answers a missing key as AWS does', async () => {
    const absent = '1234abcd-12ab-34cd-56ef-1234567890ab';
    await expect(kms().send(new DescribeKeyCommand({ KeyId: absent }))).rejects.toMatchObject({
      name: 'NotFoundException',
      message: `Key 'arn:aws:kms:eu-central-1:111122223333:key/${absent}' does not exist`,
      $metadata: { httpStatusCode: 400 },
    });
    await expect(kms().send(new DescribeKeyCommand({ KeyId: 'fake' }))).rejects.toMatchObject({
      message: "Invalid keyId 'fake'",
    });
  });
});
