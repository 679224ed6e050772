import { MAX_STRING_BYTES } from './wire.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @returns the string, or null when it is too long, is not UTF-8 or holds a NUL. */
export const parseName = (bytes: Buffer): string | null => {
  if (bytes.length > MAX_STRING_BYTES || bytes.includes(0)) return null;
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
};

/** Reads fields in order; `null` from a method means that the bytes did not hold it. */
class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  uint16(): number | null {
    return this.#take(2)?.readUInt16BE(0) ?? null;
  }

  uint32(): number | null {
    return this.#take(4)?.readUInt32BE(0) ?? null;
  }

  /** A string behind its 32-bit length. */
  string(): string | null {
    const length = this.uint32();
    const bytes = length === null ? null : this.#take(length);
    return bytes === null ? null : parseName(bytes);
  }

  #take(length: number): Buffer | null {
    if (length > this.#bytes.length - this.#at) return null;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

/** The export that an option names: all of its data (EXPORT_NAME), or what it begins with. Null: malformed. */
export const parseExportName = (data: Buffer, isBare: boolean): string | null =>
  isBare ? parseName(data) : new Fields(data).string();

/** The data of INFO and GO: export name, then the numbers of the information wanted. Null: malformed. */
export const parseExportRequest = (data: Buffer): { name: string; infos: number[] } | null => {
  const fields = new Fields(data);
  const name = fields.string();
  const count = fields.uint16();
  if (name === null || count === null) return null;
  const infos: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const info = fields.uint16();
    if (info === null) return null;
    infos.push(info);
  }
  return fields.isAtEnd ? { name, infos } : null;
};

/** The data of LIST_META_CONTEXT and SET_META_CONTEXT: export name, then queries. Null: malformed. */
export const parseMetaContextRequest = (data: Buffer): { name: string; queries: string[] } | null => {
  const fields = new Fields(data);
  const name = fields.string();
  const count = fields.uint32();
  if (name === null || count === null || count > data.length) return null;
  const queries: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const query = fields.string();
    if (query === null) return null;
    queries.push(query);
  }
  return fields.isAtEnd ? { name, queries } : null;
};
