import { randomBytes } from 'node:crypto';
import { turnClocks } from '@holdfast/service-kit';
import { afterEach, describe, expect, it } from 'vitest';
import { ImportedMaterial, wrap, type Wrapping } from './testing/imported-material.ts';
import { ACCOUNT, refusal, runningKms } from './testing/running-kms.ts';

const kms = runningKms();
const me = () => kms().caller(ACCOUNT);
const turn = (hours: number) => turnClocks(kms().stack.bus.connection, ['kms'], hours * 3_600_000);
afterEach(() => turn(0));

const EXTERNAL = { Origin: 'EXTERNAL' };
const metadata = async (KeyId: string) => (await me().call('DescribeKey', { KeyId })).KeyMetadata;
const rowsOf = async (keyId: string): Promise<number> =>
  (await kms().sql.query('SELECT FROM key_material WHERE key_id = $1', [keyId])).rowCount ?? 0;
const parametersOf = (KeyId: string, WrappingAlgorithm = 'RSAES_OAEP_SHA_256', WrappingKeySpec = 'RSA_2048') =>
  me().call('GetParametersForImport', { KeyId, WrappingAlgorithm, WrappingKeySpec });
const FOREVER = { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' };

describe('import of key material', () => {
  it.each([
    'RSAES_OAEP_SHA_1',
    'RSAES_OAEP_SHA_256',
    'RSA_AES_KEY_WRAP_SHA_1',
    'RSA_AES_KEY_WRAP_SHA_256',
  ] as Wrapping[])('comes wrapped by %s', async (wrapping) => {
    const { id: KeyId, arn } = await me().newKey(EXTERNAL);
    expect(await metadata(KeyId)).toMatchObject({ KeyState: 'PendingImport', Enabled: false, Origin: 'EXTERNAL' });
    expect(await metadata(KeyId)).not.toHaveProperty('CurrentKeyMaterialId');
    const imported = await ImportedMaterial.of('symmetric').importInto(me(), KeyId, {}, false, wrapping);
    expect(imported).toEqual({ KeyId: arn, KeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(await metadata(KeyId)).toMatchObject({
      KeyState: 'Enabled',
      Enabled: true,
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
      CurrentKeyMaterialId: imported.KeyMaterialId,
    });
    await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
  });

  it.each([
    ['HMAC_256', 'GENERATE_VERIFY_MAC', 'symmetric'],
    ['ECC_NIST_P256', 'SIGN_VERIFY', 'signing'],
    ['RSA_2048', 'ENCRYPT_DECRYPT', 'rsa'],
    ['ML_DSA_44', 'SIGN_VERIFY', 'mlDsa'],
  ])('is there for %s', async (KeySpec, KeyUsage, kind) => {
    const { id: KeyId } = await me().newKey({ ...EXTERNAL, KeySpec, KeyUsage });
    await ImportedMaterial.of(kind).importInto(me(), KeyId);
    expect(await metadata(KeyId)).toMatchObject({ KeyState: 'Enabled' });
    if (kind !== 'symmetric')
      expect((await me().call('GetPublicKey', { KeyId })).PublicKey).toEqual(expect.any(String));
    await me().call('DeleteImportedKeyMaterial', { KeyId });
    expect(await metadata(KeyId)).toMatchObject({ KeyState: 'PendingImport' });
    await expect(ImportedMaterial.of(kind).importInto(me(), KeyId)).rejects.toMatchObject({
      code: 'IncorrectKeyMaterialException',
    });
  });

  it('is the same material again, under the same id, and opens what was under it', async () => {
    const { id: KeyId, arn } = await me().newKey(EXTERNAL);
    const material = ImportedMaterial.of('symmetric');
    const first = await material.importInto(me(), KeyId);
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('kept') });
    const deleted = await me().call('DeleteImportedKeyMaterial', { KeyId });
    expect(deleted).toEqual({ KeyId: arn, KeyMaterialId: first.KeyMaterialId });
    expect(await rowsOf(KeyId)).toBe(0);
    await expect(me().call('Decrypt', { CiphertextBlob })).rejects.toEqual(refusal('KMSInvalidStateException', `${arn} is pending import.`)); // prettier-ignore
    await me().call('DeleteImportedKeyMaterial', { KeyId });
    await expect(ImportedMaterial.of('symmetric').importInto(me(), KeyId)).rejects.toMatchObject({
      code: 'IncorrectKeyMaterialException',
    });
    expect((await material.importInto(me(), KeyId)).KeyMaterialId).toBe(first.KeyMaterialId);
    expect((await me().call('Decrypt', { CiphertextBlob })).Plaintext.toString()).toBe('kept');
    const elsewhere = await me().newKey(EXTERNAL);
    const same = await new ImportedMaterial(material.bytes).importInto(me(), elsewhere.id);
    expect(same.KeyMaterialId).not.toBe(first.KeyMaterialId);
  });

  it('expires by the clock, also twice', async () => {
    const { id: KeyId } = await me().newKey(EXTERNAL);
    const material = ImportedMaterial.of('symmetric');
    const ValidTo = new Date(Date.now() + 3_600_000).toISOString();
    await material.importInto(me(), KeyId, { ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo });
    expect(await metadata(KeyId)).toMatchObject({ ValidTo, ExpirationModel: 'KEY_MATERIAL_EXPIRES' });
    await turn(2);
    await expect.poll(async () => (await metadata(KeyId)).KeyState).toBe('PendingImport');
    expect(await rowsOf(KeyId)).toBe(0);
    expect(await metadata(KeyId)).not.toHaveProperty('ValidTo');
    await turn(0);
    await material.importInto(me(), KeyId);
    expect(await metadata(KeyId)).toMatchObject({ KeyState: 'Enabled' });
  });

  it('needs a date when it expires, in the future and within a year', async () => {
    const { id: KeyId } = await me().newKey(EXTERNAL);
    const material = ImportedMaterial.of('symmetric');
    const expires = { ExpirationModel: 'KEY_MATERIAL_EXPIRES' };
    await expect(material.importInto(me(), KeyId, expires)).rejects.toEqual(
      refusal('ValidationException', 'A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES'),
    );
    for (const days of [-1, 366]) {
      const ValidTo = new Date(Date.now() + days * 86_400_000).toISOString();
      await expect(material.importInto(me(), KeyId, { ...expires, ValidTo })).rejects.toMatchObject({
        code: 'ValidationException',
      });
    }
  });

  it('takes tokens of this key, unaltered, for a day', async () => {
    const [one, two] = [await me().newKey(EXTERNAL), await me().newKey(EXTERNAL)];
    const { ImportToken, PublicKey, ParametersValidTo } = await parametersOf(one.id);
    expect(Date.parse(ParametersValidTo) - Date.now()).toBeGreaterThan(23.9 * 3_600_000);
    const EncryptedKeyMaterial = wrap('RSAES_OAEP_SHA_256', PublicKey, randomBytes(32));
    const request = { KeyId: one.id, ImportToken, EncryptedKeyMaterial, ...FOREVER };
    const altered = Buffer.from(ImportToken, 'base64');
    altered[altered.length - 1]! ^= 1;
    for (const bad of [{ KeyId: two.id }, { ImportToken: altered.toString('base64') }, { ImportToken: 'AAAA' }]) {
      await expect(me().call('ImportKeyMaterial', { ...request, ...bad })).rejects.toMatchObject({
        code: 'InvalidImportTokenException',
      });
    }
    await turn(25);
    await expect(me().call('ImportKeyMaterial', request)).rejects.toMatchObject({
      code: 'ExpiredImportTokenException',
    });
    await turn(0);
    await me().call('ImportKeyMaterial', request);
  });

  it('refuses what does not unwrap, and material of another size or kind', async () => {
    const { id: KeyId } = await me().newKey(EXTERNAL);
    const { ImportToken, PublicKey } = await parametersOf(KeyId);
    const put = (EncryptedKeyMaterial: string) => me().call('ImportKeyMaterial', { KeyId, ImportToken, EncryptedKeyMaterial, ...FOREVER }); // prettier-ignore
    await expect(put(randomBytes(256).toString('base64'))).rejects.toEqual(refusal('InvalidCiphertextException'));
    await expect(put(wrap('RSAES_OAEP_SHA_1', PublicKey, randomBytes(32)))).rejects.toEqual(refusal('InvalidCiphertextException')); // prettier-ignore
    for (const size of [16, 31, 33, 64]) {
      await expect(put(wrap('RSAES_OAEP_SHA_256', PublicKey, randomBytes(size)))).rejects.toMatchObject({ code: 'IncorrectKeyMaterialException' }); // prettier-ignore
    }
    const pair = await me().newKey({ ...EXTERNAL, KeySpec: 'ECC_NIST_P384', KeyUsage: 'SIGN_VERIFY' });
    await expect(ImportedMaterial.of('signing').importInto(me(), pair.id)).rejects.toMatchObject({ code: 'IncorrectKeyMaterialException' }); // prettier-ignore
    expect(await rowsOf(KeyId)).toBe(0);
  });

  it('is for keys that were made for it', async () => {
    const { id: KeyId, arn } = await me().newKey();
    const message = `${arn} origin is AWS_KMS which is not valid for this operation.`;
    for (const [action, extra] of [
      ['GetParametersForImport', { WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048' }],
      ['ImportKeyMaterial', { ImportToken: 'AAAA', EncryptedKeyMaterial: 'AAAA', ...FOREVER }],
      ['DeleteImportedKeyMaterial', {}],
    ] as const) {
      await expect(me().call(action, { KeyId, ...extra })).rejects.toEqual(
        refusal('UnsupportedOperationException', message),
      );
    }
    const { id: external } = await me().newKey(EXTERNAL);
    await expect(parametersOf(external, 'RSAES_PKCS1_V1_5')).rejects.toMatchObject({
      code: 'UnsupportedOperationException',
    });
  });
});

it('material that no key came to name is swept, and no other', async () => {
  const { id: KeyId } = await me().newKey();
  await kms().sql.query(
    `INSERT INTO key_material (key_id, material_id, root_key_id, wrapped, created_at)
     SELECT 'nobody', repeat(n::text, 64), root_key_id, 'w', now() - n * interval '2 hours'
     FROM generate_series(0, 1) n, (SELECT root_key_id FROM key_material LIMIT 1) r`,
  );
  await kms().sql.query(`UPDATE key_material SET created_at = now() - interval '1 day' WHERE key_id = $1`, [KeyId]);
  await kms().service.close();
  kms().service = await (await import('./service.ts')).start(kms().environment); // Sweeps when it starts.
  await expect.poll(() => rowsOf('nobody')).toBe(1);
  expect(await rowsOf(KeyId)).toBe(1);
});
