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
import { randomUUID } from 'node:crypto';
import {
  CreateSnapshotCommand,
  ModifyEbsDefaultKmsKeyIdCommand,
  ModifySnapshotAttributeCommand,
  type ModifySnapshotAttributeCommandInput,
  ResetEbsDefaultKmsKeyIdCommand,
} from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAccount } from './account.ts';
import { clientsFor, eventually } from './clients.ts';
import { holdfast } from './command-line.ts';
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

describe('holdfast keys', () => {
  const me = () => new TestAccount(stack);
  const run = (...args: string[]) => holdfast(stack.home, 'keys', ...args);
  const OTHER = '444455556666';

  interface Effect {
    kind: string;
    id: string;
    effect: string;
  }
  const impactOf = async (key: string, change: 'disable' | 'delete') => {
    const { code, stdout, stderr } = await run('impact', key, '--if', change, '--json');
    expect([code, stderr]).toEqual([0, '']);
    type Impact = Record<'goesOn' | 'fails' | 'lost', Effect[]> & {
      refusedBecause: string | null;
      accounts: { accountId: string }[];
      dependents: { grants: { granteePrincipal: string; ebsId: string | null }[] };
    };
    return JSON.parse(stdout) as Impact;
  };
  const idsOf = (effects: readonly Effect[]) => effects.map(({ id }) => id);

  it('tell what becomes of all under a key, and what it was used for', async () => {
    const account = me();
    const key = await account.newKey();
    const alias = `alias/${randomUUID()}`;
    await account.kms.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: key }));
    const [attached, free] = [
      (await account.volume({ Size: 1, Encrypted: true, KmsKeyId: key })).VolumeId,
      (await account.volume({ Size: 1, Encrypted: true, KmsKeyId: key })).VolumeId,
    ];
    const other = (await account.volume({ Size: 1, Encrypted: true, KmsKeyId: await account.newKey() })).VolumeId;
    const instanceId = await account.launch();
    await account.attach(attached, instanceId, '/dev/sdf');
    const { SnapshotId = '' } = await account.ec2.send(new CreateSnapshotCommand({ VolumeId: attached }));
    await account.snapshotSettled(SnapshotId);
    const sharing: Omit<ModifySnapshotAttributeCommandInput, 'SnapshotId'> = {
      Attribute: 'createVolumePermission',
      OperationType: 'add',
      UserIds: [OTHER],
    };
    await account.ec2.send(new ModifySnapshotAttributeCommand({ SnapshotId, ...sharing }));
    await account.ec2.send(new ModifyEbsDefaultKmsKeyIdCommand({ KmsKeyId: key }));
    await account.kms.send(new EncryptCommand({ KeyId: key, Plaintext: Buffer.from('x') }));

    // Those that the volumes were made under are taken back meanwhile. EBS's own stays, and the instance's.
    const ownGrants = () => account.kms.send(new ListGrantsCommand({ KeyId: key }));
    await eventually(ownGrants, ({ Grants }) => Grants?.length === 2);

    const disabled = await impactOf(alias, 'disable');
    await account.ec2.send(new ResetEbsDefaultKmsKeyIdCommand({}));
    expect(idsOf(disabled.goesOn)).toEqual([attached]);
    expect(idsOf(disabled.fails)).toEqual([free, SnapshotId, '111122223333', key, alias, '2 grants']);
    expect(disabled.fails.find(({ id }) => id === SnapshotId)?.effect).toContain(OTHER);
    expect(disabled.lost).toEqual([]);
    expect(disabled.accounts.map(({ accountId }) => accountId)).toEqual(['111122223333', OTHER]);
    for (const grantee of [instanceId, 'ec2.eu-central-1.amazonaws.com']) {
      const grant = { granteePrincipal: expect.stringContaining(grantee), ebsId: attached };
      expect(disabled.dependents.grants).toContainEqual(expect.objectContaining(grant));
    }
    const deleted = await impactOf(key, 'delete');
    expect(idsOf(deleted.lost).sort()).toEqual([attached, free, SnapshotId, '1 use outside EBS'].sort());
    const { stdout: text } = await run('impact', key.split('/')[1] ?? '', '--if', 'delete');
    expect(text).toMatch(new RegExp(`Lost for ever[^]*${attached}`));
    expect(text).not.toContain(other);

    const usage = async (...args: string[]) => {
      const { code, stdout } = await run('usage', '--json', ...args);
      expect(code).toBe(0);
      type Uses = {
        keyArn: string;
        ebsId: string | null;
        principalArn: string;
        operations: { operation: string; count: number }[];
      };
      return (JSON.parse(stdout) as { uses: Uses[] }).uses;
    };
    const uses = await usage('--key', alias);
    expect(new Set(uses.map(({ keyArn }) => keyArn))).toEqual(new Set([key]));
    expect(new Set(uses.map(({ ebsId }) => ebsId))).toEqual(new Set([attached, free, null]));
    const [host, ...rest] = await usage('--volume', attached, '--principal', `*/${instanceId}`);
    expect(rest).toEqual([]);
    expect(host?.operations).toMatchObject([{ operation: 'Decrypt', count: 1 }]);
    expect(await usage('--key', key, '--to', '2020-01-01T00:00:00Z')).toEqual([]);
    expect((await run('usage', '--key', key)).stdout).toMatch(/outside EBS[^]*Encrypt +1 /);
  });

  it("say what can't happen, and which name is no key's", async () => {
    const account = new TestAccount(stack, '777788889999');
    await account.volume({ Size: 1, Encrypted: true });
    const own = await account.kms.send(new DescribeKeyCommand({ KeyId: 'alias/aws/ebs' }));
    const managed = await impactOf(own.KeyMetadata?.Arn ?? '', 'delete');
    expect(managed.refusedBecause).toContain('AWS manages the key');
    expect(managed.lost).toEqual([]);
    const absent = `arn:aws:kms:eu-central-1:111122223333:key/${randomUUID()}`;
    expect(await run('impact', absent, '--if', 'delete')).toEqual({ code: 1, stdout: '', stderr: `holdfast: there is no key ${absent}\n` }); // prettier-ignore
    expect(await run('usage', '--key', 'alias/absent')).toEqual({ code: 1, stdout: '', stderr: 'holdfast: there is no key alias/absent\n' }); // prettier-ignore
  });
});
