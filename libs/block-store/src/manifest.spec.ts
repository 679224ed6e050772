import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BlockJournal, readJournal } from './block-journal.ts';
import { openNodeFile } from './backing-file.ts';
import { Manifest, ManifestDamaged, type ManifestHeader } from './manifest.ts';

const header: ManifestHeader = { snapshotId: 'snap-1', sizeGiB: 1, dataKey: null, parentSnapshotId: null };
const digests = [0, 3, 2047].map((index) => [index, randomBytes(32)] as const);
let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'holdfast-manifest-'))));
afterEach(() => rmSync(folder, { recursive: true }));

describe('a manifest', () => {
  it('is read as it was written, and leaves nothing else behind', () => {
    const path = join(folder, 'manifest');
    Manifest.of(header, digests).write(path);
    const manifest = Manifest.read(path);
    expect(manifest.header).toEqual(header);
    expect([...manifest]).toEqual(digests);
    expect(manifest.digest(3)).toEqual(digests[1]?.[1]);
    expect([1, 2, 4, 2046].map((index) => manifest.digest(index))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(readdirSync(folder)).toEqual(['manifest']);
  });

  it('is refused when it is cut at any byte, or any byte is altered', () => {
    const path = join(folder, 'manifest');
    Manifest.of(header, digests).write(path);
    const bytes = readFileSync(path);
    for (let length = 0; length < bytes.length; length++) {
      writeFileSync(path, bytes.subarray(0, length));
      expect(() => Manifest.read(path), `cut to ${length}`).toThrow(ManifestDamaged);
    }
    for (let at = 0; at < bytes.length; at++) {
      const altered = Buffer.from(bytes);
      altered[at]! ^= 0x40;
      writeFileSync(path, altered);
      expect(() => Manifest.read(path), `altered at ${at}`).toThrow(ManifestDamaged);
    }
  });

  it('has ascending blocks inside the volume', () => {
    expect(() => Manifest.of(header, [...digests].reverse())).toThrow(RangeError);
    expect(() => Manifest.of(header, [[2048, randomBytes(32)]])).toThrow(RangeError);
    expect(() => Manifest.of(header, [[0, randomBytes(31)]])).toThrow(RangeError);
    expect(() => Manifest.of({ ...header, sizeGiB: 2 }, digests).withHeader(header)).toThrow(RangeError);
  });
});

describe('a journal', () => {
  it('keeps what a crash left whole, wherever it was cut or blanked', () => {
    const path = join(folder, 'journal');
    const journal = BlockJournal.open(path, openNodeFile);
    const [first, second] = [randomBytes(32), randomBytes(32)];
    journal.append([
      [7, first],
      [9, null],
      [11, second],
    ]);
    journal.close();
    const bytes = readFileSync(path);
    expect(readJournal(path)).toEqual([first, second]);
    for (let length = 0; length < bytes.length; length++) {
      writeFileSync(path, bytes.subarray(0, length));
      const entries = BlockJournal.open(path, openNodeFile).entries;
      expect([...entries.keys()]).toEqual([7, 9, 11].slice(0, Math.floor(length / 40)));
    }
    writeFileSync(path, Buffer.concat([Buffer.alloc(40), bytes.subarray(40)]));
    expect([...BlockJournal.open(path, openNodeFile).entries.keys()]).toEqual([9, 11]);
  });

  it('that is written ahead goes on behind its last record, whatever was lost of it', () => {
    const path = join(folder, 'journal');
    const open = () => BlockJournal.open(path, openNodeFile, { isReserved: true });
    const blocks = Array.from({ length: 2_000 }, (_, at) => [at, randomBytes(32)] as const);
    const journal = open();
    journal.append([]);
    journal.append(blocks.slice(0, 2));
    const sizeBytes = readFileSync(path).length;
    expect(sizeBytes).toBeGreaterThan(2 * 40);
    journal.append(blocks.slice(2, 3));
    expect(readFileSync(path).length).toBe(sizeBytes);
    journal.close();
    // The second record is lost, the third is torn.
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0, 40, 80).fill(0, 100, 120));
    const again = open();
    expect([...again.entries.keys()]).toEqual([0]);
    again.append(blocks.slice(1));
    again.close();
    expect([...open().entries]).toEqual(blocks);
    expect(readJournal(path)).toEqual(blocks.map(([, digest]) => digest));
  });

  it('goes on after a torn record', () => {
    const path = join(folder, 'journal');
    writeFileSync(path, randomBytes(57));
    const journal = BlockJournal.open(path, openNodeFile);
    expect(journal.entries.size).toBe(0);
    journal.append([[1, null]]);
    journal.close();
    expect([...BlockJournal.open(path, openNodeFile).entries]).toEqual([[1, null]]);
  });
});
