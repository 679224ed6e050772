import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bindingInStore, FileProvider, InvalidWrapping, type WrappedStore } from './index.ts';

it("the README's example", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-readme-'));
  const store: WrappedStore = { table: 'key_material', key: ['key_id', 'material_id'], versionColumn: 'root_key_id' };
  const [keyId, materialId, material] = ['1234abcd', 'ab'.repeat(32), randomBytes(32)];

  const provider = new FileProvider(join(folder, 'root.key'), 'kms');
  await provider.createFirst();
  const [version] = await provider.versions();
  const binding = bindingInStore(store, [keyId, materialId]);
  const wrapped = await provider.wrap(version!.versionId, material, binding);
  expect(await provider.unwrap(wrapped, binding)).toEqual(material);
  const elsewhere = bindingInStore(store, [keyId + materialId, '']);
  await expect(provider.unwrap(wrapped, elsewhere)).rejects.toThrow(InvalidWrapping);
  await rm(folder, { recursive: true });
});
