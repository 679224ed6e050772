import { turnClocks } from '@holdfast/service-kit';
import { afterEach, describe, expect, it } from 'vitest';
import { start } from './service.ts';
import { ImportedMaterial } from './testing/imported-material.ts';
import { ACCOUNT, EC2, refusal, runningKms } from './testing/running-kms.ts';

const kms = runningKms();
const me = () => kms().caller(ACCOUNT);
const DAY_MS = 86_400_000;
const turn = (days: number) => turnClocks(kms().stack.bus.connection, ['kms'], days * DAY_MS);
afterEach(() => turn(0));

const status = (KeyId: string) => me().call('GetKeyRotationStatus', { KeyId });
const rotations = async (KeyId: string) => (await me().call('ListKeyRotations', { KeyId })).Rotations;
const materialId = async (KeyId: string) =>
  (await me().call('DescribeKey', { KeyId })).KeyMetadata.CurrentKeyMaterialId;
const inDays = (days: number) => Date.now() + days * DAY_MS;

describe('rotation by period', () => {
  it('happens in its time, and old ciphertext still opens', async () => {
    const { id: KeyId, arn } = await me().newKey();
    expect(await status(KeyId)).toEqual({ KeyId: arn, KeyRotationEnabled: false });
    await me().call('EnableKeyRotation', { KeyId, RotationPeriodInDays: 90 });
    const enabled = await status(KeyId);
    expect(enabled).toMatchObject({ KeyId: arn, KeyRotationEnabled: true, RotationPeriodInDays: 90 });
    expect(Math.abs(Date.parse(enabled.NextRotationDate) - inDays(90))).toBeLessThan(600_000);
    const first = await materialId(KeyId);
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('old') });
    await turn(89);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(await materialId(KeyId)).toBe(first);
    await turn(91);
    await expect.poll(() => materialId(KeyId)).not.toBe(first);
    const second = await materialId(KeyId);
    const opened = await me().call('Decrypt', { CiphertextBlob });
    expect([opened.Plaintext.toString(), opened.KeyMaterialId]).toEqual(['old', first]);
    const made = await me().call('GenerateDataKeyWithoutPlaintext', { KeyId, KeySpec: 'AES_256' });
    expect(made.KeyMaterialId).toBe(second);
    const moved = await me().call('ReEncrypt', { CiphertextBlob, DestinationKeyId: KeyId });
    expect([moved.SourceKeyMaterialId, moved.DestinationKeyMaterialId]).toEqual([first, second]);
    expect(await rotations(KeyId)).toEqual([
      { KeyId: arn, KeyMaterialId: second, KeyMaterialState: 'CURRENT', RotationDate: expect.any(String), RotationType: 'AUTOMATIC' },
    ]); // prettier-ignore
    const all = (await me().call('ListKeyRotations', { KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' })).Rotations;
    expect(all.map((entry: Record<string, unknown>) => [entry['KeyMaterialId'], entry['KeyMaterialState']])).toEqual([[first, 'NON_CURRENT'], [second, 'CURRENT']]); // prettier-ignore
    await me().call('DisableKeyRotation', { KeyId });
    expect(await status(KeyId)).toEqual({ KeyId: arn, KeyRotationEnabled: false });
  });

  it('is done each year for the key of EBS, which nobody asked for it', async () => {
    const caller = kms().caller('123412341299');
    const viaEc2 = caller.as({ viaService: EC2 });
    const context = { EncryptionContext: { 'aws:ebs:id': 'vol-1' } };
    const made = await viaEc2.call('GenerateDataKey', { KeyId: 'alias/aws/ebs', NumberOfBytes: 64, ...context });
    const { KeyMetadata } = await caller.call('DescribeKey', { KeyId: 'alias/aws/ebs' });
    const { KeyId, Arn } = KeyMetadata;
    const told = () => caller.call('GetKeyRotationStatus', { KeyId });
    expect(await told()).toEqual({ KeyId: Arn, KeyRotationEnabled: false });
    for (const [days, rotated] of [[364, 0], [366, 1], [732, 2]] as const) {
      await turn(days);
      const count = async () => (await caller.call('ListKeyRotations', { KeyId })).Rotations.length as number;
      await expect.poll(count).toBe(rotated);
    }
    expect(await told()).toMatchObject({ KeyId: Arn, KeyRotationEnabled: true, RotationPeriodInDays: 365 });
    const { CiphertextBlob } = made;
    expect((await viaEc2.call('Decrypt', { CiphertextBlob, ...context })).Plaintext).toEqual(made.Plaintext);
    await expect(caller.call('DisableKeyRotation', { KeyId })).rejects.toMatchObject({ code: 'AccessDeniedException' });
  }); // prettier-ignore

  it('is caught up on, once, by a service that was away', async () => {
    const { id: KeyId } = await me().newKey();
    await me().call('EnableKeyRotation', { KeyId });
    expect(await status(KeyId)).toMatchObject({ RotationPeriodInDays: 365 });
    await kms().service.close();
    kms().service = await start(kms().environment);
    await turn(5 * 365);
    await expect.poll(() => rotations(KeyId)).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(await rotations(KeyId)).toHaveLength(1);
    expect(Math.abs(Date.parse((await status(KeyId)).NextRotationDate) - inDays(6 * 365))).toBeLessThan(600_000);
  });

  it('waits while the key is disabled or to be deleted', async () => {
    const [one, two] = [await me().newKey(), await me().newKey()];
    for (const { id: KeyId } of [one, two]) await me().call('EnableKeyRotation', { KeyId, RotationPeriodInDays: 100 });
    await me().call('DisableKey', { KeyId: one.id });
    await me().call('ScheduleKeyDeletion', { KeyId: two.id, PendingWindowInDays: 30 });
    expect(await status(one.id)).toMatchObject({ KeyRotationEnabled: true });
    expect(await status(two.id)).toEqual({ KeyId: two.arn, KeyRotationEnabled: false });
    await me().call('CancelKeyDeletion', { KeyId: two.id });
    expect(await status(two.id)).toMatchObject({ KeyRotationEnabled: true });
    await turn(101);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect([await rotations(one.id), await rotations(two.id)]).toEqual([[], []]);
    for (const { id: KeyId } of [one, two]) await me().call('EnableKey', { KeyId });
    for (const { id } of [one, two]) await expect.poll(() => rotations(id)).toHaveLength(1);
  });
});

describe('rotation on demand', () => {
  it('happens at once, up to its limit', { timeout: 300_000 }, async () => {
    const { id: KeyId, arn } = await me().newKey();
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('old') });
    for (let n = 0; n < 25; n++) expect(await me().call('RotateKeyOnDemand', { KeyId })).toEqual({ KeyId: arn });
    await expect(me().call('RotateKeyOnDemand', { KeyId })).rejects.toEqual(
      refusal(
        'LimitExceededException',
        'The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be ' +
          `performed for this key: ${arn}`,
      ),
    );
    expect((await me().call('Decrypt', { CiphertextBlob })).Plaintext.toString()).toBe('old');
    const { rows } = await kms().sql.query('SELECT count(*)::int AS n FROM key_material WHERE key_id = $1', [KeyId]);
    expect(rows).toEqual([{ n: 26 }]);
    const found: string[] = [];
    let Marker: string | undefined;
    do {
      const page = await me().call('ListKeyRotations', { KeyId, Limit: 10, Marker });
      found.push(...page.Rotations.map(({ RotationType }: { RotationType: string }) => RotationType));
      Marker = page.NextMarker;
    } while (Marker !== undefined);
    expect(found).toEqual(Array.from({ length: 25 }, () => 'ON_DEMAND'));
  });

  it('is refused when an automatic one is near', async () => {
    const { id: KeyId } = await me().newKey();
    await me().call('EnableKeyRotation', { KeyId, RotationPeriodInDays: 90 });
    await turn(90 - 10 / 1440);
    await expect(me().call('RotateKeyOnDemand', { KeyId })).rejects.toMatchObject({ code: 'ConflictException' });
  });

  it('is not for pairs, HMAC keys and pairs with imported material', async () => {
    const ecc = { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' };
    const [pair, mac, imported] = [
      await me().newKey(ecc),
      await me().newKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }),
      await me().newKey({ ...ecc, Origin: 'EXTERNAL' }),
    ];
    for (const operation of ['RotateKeyOnDemand', 'EnableKeyRotation', 'DisableKeyRotation']) {
      for (const { id: KeyId } of [pair, mac]) {
        await expect(me().call(operation, { KeyId })).rejects.toEqual(refusal('UnsupportedOperationException'));
      }
      await expect(me().call(operation, { KeyId: imported.id })).rejects.toEqual(
        refusal(
          'UnsupportedOperationException',
          `${imported.arn} origin is EXTERNAL which is not valid for this operation.`,
        ),
      );
    }
    expect(await status(mac.id)).toEqual({ KeyId: mac.arn, KeyRotationEnabled: false });
  });

  it('of imported material takes the one that waits', async () => {
    const { id: KeyId, arn } = await me().newKey({ Origin: 'EXTERNAL' });
    const [first, second, third] = [1, 2, 3].map(() => ImportedMaterial.of('symmetric'));
    const one = await first!.importInto(me(), KeyId);
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('old') });
    await expect(me().call('RotateKeyOnDemand', { KeyId })).rejects.toEqual(
      refusal('KMSInvalidStateException', `No available key material pending rotation for the key: ${arn}.`),
    );
    const NEW = { ImportType: 'NEW_KEY_MATERIAL' };
    await expect(second!.importInto(me(), KeyId)).rejects.toMatchObject({ code: 'IncorrectKeyMaterialException' });
    const two = await second!.importInto(me(), KeyId, NEW);
    await expect(third!.importInto(me(), KeyId, NEW)).rejects.toMatchObject({
      code: 'KMSInvalidStateException',
      message: expect.stringMatching(
        `^New key material \\(id: [0-9a-f]{64}\\) cannot be imported into KMS key ${arn}, because another key material \\(id: ${two.KeyMaterialId as string}\\) is pending rotation.$`,
      ),
    });
    expect(await materialId(KeyId)).toBe(one.KeyMaterialId);
    await me().call('RotateKeyOnDemand', { KeyId });
    expect(await materialId(KeyId)).toBe(two.KeyMaterialId);
    const opened = await me().call('Decrypt', { CiphertextBlob });
    expect([opened.Plaintext.toString(), opened.KeyMaterialId]).toEqual(['old', one.KeyMaterialId]);
    await me().call('DeleteImportedKeyMaterial', { KeyId, KeyMaterialId: one.KeyMaterialId });
    await expect(me().call('Decrypt', { CiphertextBlob })).rejects.toEqual(refusal('KMSInvalidStateException', `${arn} is pending import.`)); // prettier-ignore
    await first!.importInto(me(), KeyId);
    expect((await me().call('Decrypt', { CiphertextBlob })).Plaintext.toString()).toBe('old');
  });
});
