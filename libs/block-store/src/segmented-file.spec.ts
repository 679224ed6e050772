import fc from 'fast-check';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openNodeFile } from './backing-file.ts';
import { punchHole } from './holes.ts';
import { createSegments, openSegments, SEGMENT_BYTES, segmentsSize } from './segmented-file.ts';
import { holesHere } from './testing/holes-here.ts';

const TIB = 2 ** 40;
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-segments-'));
  path = join(folder, 'data');
});
afterEach(() => rmSync(folder, { recursive: true }));

it('is one file as long as one is enough', () => {
  createSegments(path, SEGMENT_BYTES);
  expect(readdirSync(folder)).toEqual(['data']);
  expect(statSync(path).size).toBe(SEGMENT_BYTES);
});

it('holds 64 TiB, to the last byte', () => {
  createSegments(path, 64 * TIB);
  expect(readdirSync(folder)).toHaveLength(8);
  expect(segmentsSize(path)).toBe(64 * TIB);
  const file = openSegments(openNodeFile, path);
  expect(file.sizeBytes).toBe(64 * TIB);
  file.writeSync(Buffer.from('end'), 64 * TIB - 3);
  const read = Buffer.alloc(3);
  file.readSync(read, 64 * TIB - 3);
  expect(read.toString()).toBe('end');
  expect(() => file.writeSync(Buffer.from('x'), 64 * TIB)).toThrow(RangeError);
  file.close();
});

it('grows', () => {
  for (const sizeBytes of [5, 16, 17, 40]) {
    createSegments(path, sizeBytes, 16);
    expect(segmentsSize(path)).toBe(sizeBytes);
  }
  expect(readdirSync(folder)).toEqual(['data', 'data.1', 'data.2']);
});

it.skipIf(!holesHere())('gives space back, but not of a range in two files', () => {
  const page = 4096;
  createSegments(path, 4 * page, 2 * page);
  const file = openSegments(openNodeFile, path, 2 * page);
  file.writeSync(Buffer.alloc(4 * page, 1), 0);
  expect(file.punchSync?.(page, 2 * page)).toBe(false);
  expect(file.punchSync?.(2 * page, page)).toBe(true);
  const read = Buffer.alloc(4 * page);
  file.readSync(read, 0);
  file.close();
  expect([0, 1, 2, 3].map((at) => read.readUInt8(at * page))).toEqual([1, 1, 0, 1]);
  expect(() => punchHole(-1, 0, page)).toThrow();
  expect(punchHole(1_000_000, 0, page)).toBe(false);
});

it('reads and writes across its segments like one file', async () => {
  const size = 100;
  const access = fc.record({ at: fc.nat(size - 1), bytes: fc.uint8Array({ minLength: 1, maxLength: 60 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(access, { maxLength: 10 }), async (accesses) => {
      rmSync(folder, { recursive: true });
      folder = mkdtempSync(join(tmpdir(), 'holdfast-segments-'));
      createSegments(join(folder, 'data'), size, 16);
      const file = openSegments(openNodeFile, join(folder, 'data'), 16);
      const model = Buffer.alloc(size);
      for (const { at, bytes } of accesses) {
        const data = Buffer.from(bytes.subarray(0, size - at));
        file.writeSync(data, at);
        data.copy(model, at);
      }
      await file.sync();
      const [whole, later] = [Buffer.alloc(size), Buffer.alloc(size)];
      file.readSync(whole, 0);
      await file.read(later, 0);
      file.close();
      expect(whole).toEqual(model);
      expect(later).toEqual(model);
    }),
    { numRuns: 50 },
  );
});
