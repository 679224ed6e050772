import { turnClocks } from '@holdfast/service-kit';
import { afterEach, describe, expect, it } from 'vitest';
import { ImportedMaterial } from './testing/imported-material.ts';
import { ACCOUNT, refusal, runningKms } from './testing/running-kms.ts';

const kms = runningKms();
const here = () => kms().caller(ACCOUNT);
const there = () => here().as({ region: 'eu-west-1' });
const turn = (days: number) => turnClocks(kms().stack.bus.connection, ['kms'], days * 86_400_000);
afterEach(() => turn(0));

const metadata = async (caller: ReturnType<typeof here>, KeyId: string) =>
  (await caller.call('DescribeKey', { KeyId })).KeyMetadata;
const REPLICA = { ReplicaRegion: 'eu-west-1' };
const entry = (Region: string, id: string) => ({ Arn: `arn:aws:kms:${Region}:${ACCOUNT}:key/${id}`, Region });

describe('a multi-Region key', () => {
  it('has replicas that open what it encrypted, and are keys of their own', async () => {
    const { id: KeyId } = await here().newKey({ MultiRegion: true, Description: 'primary' });
    expect(KeyId).toMatch(/^mrk-[0-9a-f]{32}$/);
    const Tags = [{ TagKey: 'where', TagValue: 'west' }];
    const made = await here().call('ReplicateKey', { KeyId, ...REPLICA, Description: 'replica', Tags });
    expect(JSON.parse(made.ReplicaPolicy).Id).toBe('key-default-1');
    expect(made.ReplicaTags).toEqual(Tags);
    const MultiRegionConfiguration = {
      PrimaryKey: entry('eu-central-1', KeyId),
      ReplicaKeys: [entry('eu-west-1', KeyId)],
    };
    const { MultiRegionConfiguration: ofReplica, ...replica } = made.ReplicaKeyMetadata;
    expect(replica).toMatchObject({ KeyId, KeyState: 'Enabled', Description: 'replica', MultiRegion: true });
    expect(ofReplica).toEqual({ ...MultiRegionConfiguration, MultiRegionKeyType: 'REPLICA' });
    const primary = await metadata(here(), KeyId);
    expect(primary.MultiRegionConfiguration).toEqual({ ...MultiRegionConfiguration, MultiRegionKeyType: 'PRIMARY' });
    expect(primary.CurrentKeyMaterialId).toBe(replica.CurrentKeyMaterialId);
    const { CiphertextBlob } = await here().call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
    const opened = await there().call('Decrypt', { CiphertextBlob });
    expect([opened.Plaintext.toString(), opened.KeyId]).toEqual(['x', entry('eu-west-1', KeyId).Arn]);
    await here().call('DisableKey', { KeyId });
    expect(await metadata(there(), KeyId)).toMatchObject({ KeyState: 'Enabled' });
    await there().call('Decrypt', { CiphertextBlob });
    const elsewhere = here().as({ region: 'eu-north-1' });
    await expect(elsewhere.call('Decrypt', { CiphertextBlob })).rejects.toMatchObject({
      code: 'AccessDeniedException',
    });
    await here().call('EnableKey', { KeyId });
    await expect(here().call('ReplicateKey', { KeyId, ...REPLICA })).rejects.toMatchObject({
      code: 'AlreadyExistsException',
    });
    await expect(there().call('ReplicateKey', { KeyId, ReplicaRegion: 'eu-north-1' })).rejects.toEqual(
      refusal('UnsupportedOperationException', `${entry('eu-west-1', KeyId).Arn} is not a multi-region primary key.`),
    );
    const { id: single } = await here().newKey();
    await expect(here().call('ReplicateKey', { KeyId: single, ...REPLICA })).rejects.toMatchObject({ code: 'UnsupportedOperationException' }); // prettier-ignore
    await expect(here().call('ReplicateKey', { KeyId, ReplicaRegion: 'xx-nowhere-1' })).rejects.toMatchObject({ code: 'ValidationException' }); // prettier-ignore
  });

  it('keeps grants, aliases and tags of each Region apart', async () => {
    const { id: KeyId } = await here().newKey({ MultiRegion: true });
    await here().call('ReplicateKey', { KeyId, ...REPLICA });
    await here().call('CreateAlias', { AliasName: `alias/${KeyId}`, TargetKeyId: KeyId });
    await expect(there().call('DescribeKey', { KeyId: `alias/${KeyId}` })).rejects.toMatchObject({
      code: 'NotFoundException',
    });
    const grant = { KeyId, GranteePrincipal: `arn:aws:iam::${ACCOUNT}:root`, Operations: ['Decrypt'], Name: 'n' };
    const [one, two] = [await here().call('CreateGrant', grant), await there().call('CreateGrant', grant)];
    expect(one.GrantId).not.toBe(two.GrantId);
    const GrantId: string = one.GrantId;
    const gone = { code: 'NotFoundException', message: `Grant ID ${GrantId} not found` };
    await expect(there().call('RevokeGrant', { KeyId, GrantId })).rejects.toMatchObject(gone);
    await expect(there().call('RetireGrant', { GrantToken: one.GrantToken })).rejects.toMatchObject(gone);
    expect((await there().call('ListGrants', { KeyId })).Grants).toHaveLength(1);
    await here().call('TagResource', { KeyId, Tags: [{ TagKey: 'a', TagValue: 'b' }] });
    expect((await there().call('ListResourceTags', { KeyId })).Tags).toEqual([]);
    await here().call('UpdateKeyDescription', { KeyId, Description: 'changed here' });
    expect(await metadata(there(), KeyId)).toMatchObject({ Description: '' });
  });

  it('rotates everywhere, and is told to in its primary Region', async () => {
    const { id: KeyId } = await here().newKey({ MultiRegion: true });
    await here().call('ReplicateKey', { KeyId, ...REPLICA });
    const { CiphertextBlob } = await there().call('Encrypt', { KeyId, Plaintext: Buffer.from('old') });
    for (const operation of ['RotateKeyOnDemand', 'EnableKeyRotation', 'DisableKeyRotation']) {
      await expect(there().call(operation, { KeyId })).rejects.toMatchObject({ code: 'UnsupportedOperationException' });
    }
    await here().call('EnableKeyRotation', { KeyId, RotationPeriodInDays: 200 });
    expect(await there().call('GetKeyRotationStatus', { KeyId })).toMatchObject({
      KeyRotationEnabled: true,
      RotationPeriodInDays: 200,
    });
    await here().call('RotateKeyOnDemand', { KeyId });
    const [one, two] = [await metadata(here(), KeyId), await metadata(there(), KeyId)];
    expect(one.CurrentKeyMaterialId).toBe(two.CurrentKeyMaterialId);
    for (const caller of [here(), there()])
      expect((await caller.call('Decrypt', { CiphertextBlob })).Plaintext.toString()).toBe('old');
    expect((await there().call('ListKeyRotations', { KeyId })).Rotations).toHaveLength(1);
  });

  it('changes its primary Region', async () => {
    const { id: KeyId } = await here().newKey({ MultiRegion: true });
    await here().call('ReplicateKey', { KeyId, ...REPLICA });
    const absent = here().call('UpdatePrimaryRegion', { KeyId, PrimaryRegion: 'eu-north-1' });
    await expect(absent).rejects.toEqual(
      refusal('NotFoundException', `Key '${entry('eu-north-1', KeyId).Arn}' does not exist`),
    );
    await here().call('UpdatePrimaryRegion', { KeyId, PrimaryRegion: 'eu-west-1' });
    const { MultiRegionConfiguration } = await metadata(here(), KeyId);
    expect(MultiRegionConfiguration).toEqual({
      MultiRegionKeyType: 'REPLICA',
      PrimaryKey: entry('eu-west-1', KeyId),
      ReplicaKeys: [entry('eu-central-1', KeyId)],
    });
    await there().call('RotateKeyOnDemand', { KeyId });
    await expect(here().call('RotateKeyOnDemand', { KeyId })).rejects.toMatchObject({
      code: 'UnsupportedOperationException',
    });
  });

  it('is deleted after its replicas', { timeout: 300_000 }, async () => {
    const { id: KeyId } = await here().newKey({ MultiRegion: true });
    await here().call('ReplicateKey', { KeyId, ...REPLICA });
    const { CiphertextBlob } = await there().call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
    const scheduled = await here().call('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 });
    expect(scheduled).toEqual({
      KeyId: entry('eu-central-1', KeyId).Arn,
      KeyState: 'PendingReplicaDeletion',
      PendingWindowInDays: 7,
    });
    expect(await metadata(here(), KeyId)).toMatchObject({
      KeyState: 'PendingReplicaDeletion',
      PendingDeletionWindowInDays: 7,
    });
    await turn(10);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await there().call('Decrypt', { CiphertextBlob })).Plaintext.toString()).toBe('x');
    await there().call('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 });
    await turn(18);
    await expect.poll(async () => (await metadata(here(), KeyId)).KeyState).toBe('PendingDeletion');
    await expect(there().call('DescribeKey', { KeyId })).rejects.toMatchObject({ code: 'NotFoundException' });
    expect((await kms().sql.query('SELECT FROM key_material WHERE key_id = $1', [KeyId])).rowCount).toBe(1);
    const { DeletionDate } = await metadata(here(), KeyId);
    expect(Math.abs(Date.parse(DeletionDate) - Date.now() - 25 * 86_400_000)).toBeLessThan(600_000);
    await turn(26);
    await expect.poll(() => here().call('DescribeKey', { KeyId }).then(() => '', (error: { code: string }) => error.code)).toBe('NotFoundException'); // prettier-ignore
    for (const table of ['key_material', 'key_versions', 'kms_keys', 'grants', 'imported_materials']) {
      expect((await kms().sql.query(`SELECT FROM ${table} WHERE key_id = $1`, [KeyId])).rowCount, table).toBe(0);
    }
  });

  it('with imported material takes the same into each Region', async () => {
    const { id: KeyId } = await here().newKey({ MultiRegion: true, Origin: 'EXTERNAL' });
    const material = ImportedMaterial.of('symmetric');
    const { KeyMaterialId } = await material.importInto(here(), KeyId);
    await here().call('ReplicateKey', { KeyId, ...REPLICA });
    expect(await metadata(there(), KeyId)).toMatchObject({ KeyState: 'PendingImport' });
    await expect(ImportedMaterial.of('symmetric').importInto(there(), KeyId)).rejects.toMatchObject({ code: 'IncorrectKeyMaterialException' }); // prettier-ignore
    expect((await material.importInto(there(), KeyId)).KeyMaterialId).toBe(KeyMaterialId);
    await here().call('DeleteImportedKeyMaterial', { KeyId });
    expect([(await metadata(here(), KeyId)).KeyState, (await metadata(there(), KeyId)).KeyState]).toEqual(['PendingImport', 'Enabled']); // prettier-ignore
    await there().call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
    await there().call('DeleteImportedKeyMaterial', { KeyId });
    expect((await kms().sql.query('SELECT FROM key_material WHERE key_id = $1', [KeyId])).rowCount).toBe(0);
  });
});
