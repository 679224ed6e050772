import { randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackingFile } from './backing-file.ts';
import { assertDirectIo, openDirectDevice, openDirectFile } from './direct-file.ts';
import { directIoHere } from './testing/direct-io-here.ts';

const FILE_BYTES = 1_048_576;
/** Of the flags in /proc: octal. */
const O_DIRECT = 0o40000;

let folder: string;
let path: string;
let file: BackingFile;
const content = randomBytes(FILE_BYTES);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-direct-'));
  path = join(folder, 'file');
  writeFileSync(path, content);
  if (isHere) file = openDirectFile(path, 'existing');
});
afterEach(() => {
  if (isHere) file.close();
  rmSync(folder, { recursive: true });
});
const isHere = directIoHere();

const range = fc
  .tuple(
    fc.oneof(
      fc.nat({ max: FILE_BYTES - 1 }),
      fc.nat({ max: FILE_BYTES / 4096 - 1 }).map((page) => page * 4096),
    ),
  )
  .chain(([at]) => fc.tuple(fc.constant(at), fc.nat({ max: FILE_BYTES - at }), fc.nat({ max: 9_000 })))
  .map(([at, many, few]) => ({ at, bytes: many % 3 === 0 ? many : Math.min(few, FILE_BYTES - at) }));
const operation = fc.record({ do: fc.constantFrom('write', 'read', 'readSync'), range });

describe.skipIf(!isHere)('a file past the page cache', () => {
  it('is one for every range, wherever it begins and ends', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 20 }), async (operations) => {
        const model = Buffer.from(readFileSync(path));
        for (const { do: what, range: { at, bytes } } of operations) {
          const target = Buffer.alloc(bytes, 1);
          if (what === 'write') {
            randomBytes(bytes).copy(target);
            file.writeSync(target, at);
            target.copy(model, at);
          } else if (what === 'read') await file.read(target, at);
          else file.readSync(target, at);
          expect(target.equals(model.subarray(at, at + bytes))).toBe(true);
        }
        expect(readFileSync(path).equals(model)).toBe(true);
      }),
      { numRuns: 60 },
    );
  }); // prettier-ignore

  it('serves more reads at once than it has memory for', async () => {
    const reads = Array.from({ length: 100 }, (_, at) => ({ at: at * 7_001, target: Buffer.alloc(300_001) }));
    await Promise.all(reads.map(({ at, target }) => file.read(target, at)));
    for (const { at, target } of reads) expect(target.equals(content.subarray(at, at + target.length))).toBe(true);
  });

  it('is opened with O_DIRECT, and a device once more than it is owned', () => {
    const flagsOf = () =>
      readdirSync('/proc/self/fd')
        .filter((fd) => linkOf(`/proc/self/fd/${fd}`) === path)
        .map((fd) => Number.parseInt(/^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '', 8));
    const isDirect = () => flagsOf().filter((flags) => (flags & O_DIRECT) !== 0).length;
    expect([flagsOf().length, isDirect()]).toEqual([1, 1]);
    const owned = openSync(path, 'r+');
    const device = openDirectDevice(owned, FILE_BYTES);
    expect([flagsOf().length, isDirect()]).toEqual([3, 2]);
    device.writeSync(Buffer.from('device'), 5_000);
    device.close();
    closeSync(owned);
    expect(readFileSync(path).toString('latin1', 5_000, 5_006)).toBe('device');
  }); // prettier-ignore

  it('has an end, and nothing before its start', async () => {
    for (const [at, bytes] of [[-1, 1], [FILE_BYTES, 1], [FILE_BYTES - 10, 11], [0, FILE_BYTES + 1]] as const) {
      expect(() => file.readSync(Buffer.alloc(bytes), at)).toThrow(RangeError);
      expect(() => file.writeSync(Buffer.alloc(bytes), at)).toThrow(RangeError);
      await expect(file.read(Buffer.alloc(bytes), at)).rejects.toThrow(RangeError);
    }
    expect(readFileSync(path).equals(content)).toBe(true);
  }); // prettier-ignore

  it('can be had or not by a folder, which is left as it was', () => {
    assertDirectIo(folder);
    expect(readdirSync(folder)).toEqual(['file']);
    expect(() => assertDirectIo('/proc')).toThrow('no direct I/O in /proc');
  });
});

const linkOf = (link: string): string | null => {
  try {
    return readlinkSync(link);
  } catch {
    return null; // Of the listing itself.
  }
};
