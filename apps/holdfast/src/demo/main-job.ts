import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { scanForPlaintext } from '@holdfast/plaintext-scan';
import type { DemoAccount } from './account.ts';
import { firstDifference, writeFileToDevice, writeOnAndOn } from './device.ts';
import type { Image } from './image.ts';

export interface Report {
  /** What is being done. */
  step(text: string): void;
  /** A comparison and whether it held. */
  check(text: string, held: boolean): void;
}

export interface MainJob {
  account: DemoAccount;
  image: Image;
  home: string;
  report: Report;
}

const megabytes = (bytes: number) => `${String(Math.round(bytes / 1e6))} MB`;

/** Writes an image through an encrypted volume and follows its bytes through everything that copies or re-encrypts them. */
export const runMainJob = async ({ account, image, home, report }: MainJob): Promise<void> => {
  report.step('three KMS keys, and an instance to attach to');
  const [keyA, keyB, keyC] = await Promise.all(
    ['A', 'B', 'C'].map((name) => account.createKey(`demonstration ${name}`)),
  );
  if (keyA === undefined || keyB === undefined || keyC === undefined) throw new Error('three keys were asked for');
  const instance = await account.launchInstance();

  report.step('a volume of 1 GiB encrypted under key A, attached as /dev/sdf');
  const original = await account.createVolume({ Size: 1, Encrypted: true, KmsKeyId: keyA });
  const volumeId = original.VolumeId ?? '';
  report.check('the volume is encrypted under key A', original.Encrypted === true && original.KmsKeyId === keyA);
  const device = await account.attach(volumeId, instance, '/dev/sdf');

  report.step(
    `${megabytes(image.sizeBytes)} of ext4 (${String(image.fileCount)} files of this repository) written and flushed`,
  );
  await writeFileToDevice(device, image.path, image.sizeBytes);
  report.check(
    'the volume reads back as written',
    (await firstDifference(device, image.path, image.sizeBytes)) === null,
  );

  report.step('a snapshot, while a writer goes on overwriting the volume');
  const snapshot = await account.createSnapshot(volumeId);
  const writer = await writeOnAndOn(device, image.sizeBytes);
  await account.snapshotCompleted(snapshot);
  const writes = await writer.stop();
  report.check(
    `${String(writes)} writes changed the volume meanwhile`,
    writes > 0 && (await firstDifference(device, image.path, image.sizeBytes)) !== null,
  );

  report.step('the snapshot copied to key C');
  const copy = await account.copySnapshot(snapshot, keyC);
  await account.snapshotCompleted(copy);

  const restored: string[] = [];
  const restore = async (what: string, source: { SnapshotId: string; KmsKeyId?: string }, key: string, at: string) => {
    report.step(`${what}, restored, attached as ${at} and compared byte by byte`);
    const { VolumeId = '', KmsKeyId } = await account.createVolume({
      ...source,
      ...(source.KmsKeyId ? { Encrypted: true } : {}),
    });
    restored.push(VolumeId);
    const path = await account.attach(VolumeId, instance, at);
    const difference = await firstDifference(path, image.path, image.sizeBytes);
    const where = difference === null ? '' : `, but byte ${String(difference)} differs`;
    report.check(`${what}: every byte is what it was at the snapshot${where}`, difference === null && KmsKeyId === key);
  };
  await restore('the snapshot under its own key A', { SnapshotId: snapshot }, keyA, '/dev/sdg');
  await restore('the snapshot under key B', { SnapshotId: snapshot, KmsKeyId: keyB }, keyB, '/dev/sdh');
  await restore('the copy under key C', { SnapshotId: copy }, keyC, '/dev/sdi');

  await checkNothingLeaked(home, image, report);
  await disabledKey(account, { key: keyA, volumeId, instance, device }, report);

  report.step('everything that was made is deleted');
  for (const id of restored) await account.detach(id);
  await account.terminateInstance(instance);
  for (const id of [volumeId, ...restored]) await account.deleteVolume(id);
  for (const id of [snapshot, copy]) await account.deleteSnapshot(id);
};

const checkNothingLeaked = async (home: string, image: Image, report: Report): Promise<void> => {
  report.step('every file below the state folder searched for plaintext of the image');
  const plain = await readFile(image.path);
  report.check(
    'the texts that are searched for are in the image',
    image.markers.every((marker) => plain.includes(marker)),
  );
  const { fileCount, scannedBytes, found } = await scanForPlaintext(
    home,
    image.markers.map((marker) => Buffer.from(marker)),
  );
  const names = found.map((path) => path.slice(join(home, '/').length)).join(', ');
  report.check(
    `no plaintext in ${String(fileCount)} files, ${megabytes(scannedBytes)}${names === '' ? '' : `, but in ${names}`}`,
    found.length === 0,
  );
};

const disabledKey = async (
  account: DemoAccount,
  { key, volumeId, instance, device }: { key: string; volumeId: string; instance: string; device: string },
  report: Report,
): Promise<void> => {
  report.step('key A is disabled');
  await account.disableKey(key);
  const { stop } = await writeOnAndOn(device, 1 << 24);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const writes = await stop().catch(() => 0);
  report.check(`the running attachment goes on (${String(writes)} writes)`, writes > 0);
  await account.detach(volumeId);
  const refusal = await account.attach(volumeId, instance, '/dev/sdf').then(
    () => 'nothing',
    (error: Error) => error.name,
  );
  report.check(`the next attach is refused (${refusal})`, refusal === 'CustomerKeyHasBeenRevoked');
  await account.enableKey(key);
};
