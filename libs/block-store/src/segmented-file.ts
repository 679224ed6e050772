import { existsSync, statSync } from 'node:fs';
import { type BackingFile, createSparseFile, type OpenFile } from './backing-file.ts';

/** A file on ext4 ends below 16 TiB, a volume at 64: its data lie in files of this size, the last one shorter. */
export const SEGMENT_BYTES = 8 * 2 ** 40;

const segmentPath = (path: string, index: number): string => (index === 0 ? path : `${path}.${String(index)}`);

const segmentPaths = (path: string): string[] => {
  const paths = [path];
  while (existsSync(segmentPath(path, paths.length))) paths.push(segmentPath(path, paths.length));
  return paths;
};

/** Makes `path`, and `path.1`, `path.2`, … where one is not enough, or grows them; `path` last, for its size tells that all is done. */
export const createSegments = (path: string, sizeBytes: number, segmentBytes = SEGMENT_BYTES): void => {
  const count = Math.max(1, Math.ceil(sizeBytes / segmentBytes));
  for (let index = count - 1; index >= 0; index--) {
    createSparseFile(segmentPath(path, index), Math.min(segmentBytes, sizeBytes - index * segmentBytes));
  }
};

/** Of all segments together; 0 when there are none. */
export const segmentsSize = (path: string): number =>
  segmentPaths(path).reduce((sum, segment) => sum + (statSync(segment, { throwIfNoEntry: false })?.size ?? 0), 0);

/** Opens what `createSegments` made, as one file. */
export const openSegments = (openFile: OpenFile, path: string, segmentBytes = SEGMENT_BYTES): BackingFile => {
  const files = segmentPaths(path).map((segment) => openFile(segment, 'existing'));
  const [only] = files;
  return files.length === 1 && only !== undefined ? only : new SegmentedFile(files, segmentBytes);
};

interface Part {
  readonly file: BackingFile;
  readonly bytes: Buffer;
  readonly offsetBytes: number;
}

class SegmentedFile implements BackingFile {
  constructor(
    private readonly files: readonly BackingFile[],
    private readonly segmentBytes: number,
  ) {}

  get sizeBytes(): number {
    return this.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  }

  readSync(target: Buffer, offsetBytes: number): void {
    for (const part of this.parts(target, offsetBytes)) part.file.readSync(part.bytes, part.offsetBytes);
  }

  async read(target: Buffer, offsetBytes: number): Promise<void> {
    for (const part of this.parts(target, offsetBytes)) await part.file.read(part.bytes, part.offsetBytes);
  }

  writeSync(data: Buffer, offsetBytes: number): void {
    for (const part of this.parts(data, offsetBytes)) part.file.writeSync(part.bytes, part.offsetBytes);
  }

  /** A range of two files is written over. */
  punchSync(offsetBytes: number, lengthBytes: number): boolean {
    const file = this.files[Math.floor(offsetBytes / this.segmentBytes)];
    const within = offsetBytes % this.segmentBytes;
    if (within + lengthBytes > this.segmentBytes) return false;
    return file?.punchSync?.(within, lengthBytes) ?? false;
  }

  syncSync(): void {
    for (const file of this.files) file.syncSync();
  }

  async sync(): Promise<void> {
    await Promise.all(this.files.map((file) => file.sync()));
  }

  close(): void {
    for (const file of this.files) file.close();
  }

  /** The pieces of a range by the files they lie in. @throws RangeError beyond the last. */
  private *parts(bytes: Buffer, offsetBytes: number): Generator<Part> {
    for (let done = 0; done < bytes.length;) {
      const at = offsetBytes + done;
      const file = this.files[Math.floor(at / this.segmentBytes)];
      if (file === undefined) throw new RangeError(`nothing at ${String(at)} of ${String(this.sizeBytes)} bytes`);
      const within = at % this.segmentBytes;
      const length = Math.min(bytes.length - done, this.segmentBytes - within);
      yield { file, bytes: bytes.subarray(done, done + length), offsetBytes: within };
      done += length;
    }
  }
}
