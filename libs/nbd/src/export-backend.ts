import { NbdErrno } from './wire.ts';

/** A run of bytes that is either stored, or reads as zeros and takes no space. */
export interface Extent {
  readonly lengthBytes: number;
  readonly state: 'data' | 'zero';
}

/**
 * What an export serves. Ranges are any bytes within [0, sizeBytes); the server has checked them. A method that can
 * finish at once should return nothing rather than a promise: that is the fast path. One that fails throws or rejects;
 * `code` (as of Node's system errors) chooses the error number the client sees, see {@link errnoOf}.
 */
export interface ExportBackend {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** True if zeroing is always faster than writing zeros; else a client that insists on speed gets ENOTSUP. */
  readonly fastZeroes?: boolean;
  /** Fills all of `target`. */
  read(offsetBytes: number, target: Buffer): void | Promise<void>;
  /** May overwrite `data` in place, and owns it until it is done. */
  write(offsetBytes: number, data: Buffer): void | Promise<void>;
  /** Makes every write that was done before the call durable, whichever connection it came from. */
  flush(): Promise<void>;
  trim(offsetBytes: number, lengthBytes: number): void | Promise<void>;
  /** @param options `mayTrim` false: the range must stay allocated. */
  writeZeroes(offsetBytes: number, lengthBytes: number, options: { mayTrim: boolean }): void | Promise<void>;
  /** Describes the range from its start; at least its first byte, and it may stop before its end to bound the work. */
  extents(offsetBytes: number, lengthBytes: number): readonly Extent[] | Promise<readonly Extent[]>;
}

/** What the client did can't be understood or is beyond a limit: its connection ends, and nothing else does. */
export class NbdProtocolError extends Error {
  override readonly name = 'NbdProtocolError';
}

const ERRNO_BY_CODE: Readonly<Record<string, number>> = {
  EPERM: NbdErrno.EPERM,
  EACCES: NbdErrno.EPERM,
  EROFS: NbdErrno.EPERM,
  ENOMEM: NbdErrno.ENOMEM,
  EINVAL: NbdErrno.EINVAL,
  ENOSPC: NbdErrno.ENOSPC,
  EDQUOT: NbdErrno.ENOSPC,
  EFBIG: NbdErrno.ENOSPC,
  EOVERFLOW: NbdErrno.EOVERFLOW,
  ENOTSUP: NbdErrno.ENOTSUP,
  EOPNOTSUPP: NbdErrno.ENOTSUP,
  ESHUTDOWN: NbdErrno.ESHUTDOWN,
};

/** The error number for what a backend threw; EIO for everything that has no code of the protocol's. */
export const errnoOf = (error: unknown): number => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return (typeof code === 'string' ? ERRNO_BY_CODE[code] : undefined) ?? NbdErrno.EIO;
};
