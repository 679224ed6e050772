/** One version of a root key, as its provider knows it. */
export interface RootKeyVersion {
  /** 2 to 64 hexadecimal digits, an even number: what a wrapped blob names. */
  readonly versionId: string;
  /** Where it is, for people: a file's name, a key's label in its token. */
  readonly location: string;
}

/**
 * Holds the versions of one service's root key, and wraps under any of them. Which one is current is not its business: the
 * service's database says so (see RootKeys).
 */
export interface RootKeyProvider {
  readonly kind: 'file' | 'environment' | 'pkcs11';
  /** For messages: the file, the variable, the token. Never a secret. */
  readonly origin: string;
  /** What is there now, read anew; the one that a new installation begins with first. Empty when nothing is there yet. */
  versions(): Promise<readonly RootKeyVersion[]>;
  /** Makes the first version where none is. Absent: someone has to. */
  readonly createFirst?: () => Promise<void>;
  /** Makes another version, durably, and returns it. @throws RootKeyError when it has to be made elsewhere */
  create(): Promise<RootKeyVersion>;
  /** Removes a version for good; again is harmless. @throws RootKeyError when it has to be removed elsewhere */
  destroy(versionId: string): Promise<void>;
  /** @param additionalData authenticated with it. @returns a blob that names its version. @throws UnknownRootKeyVersion */
  wrap(versionId: string, plaintext: Uint8Array, additionalData: Uint8Array): Promise<Buffer>;
  /**
   * @returns a buffer of its own, the caller's to zero.
   * @throws InvalidWrapping for all that is wrong with the blob or its additional data; UnknownRootKeyVersion.
   */
  unwrap(wrapped: Uint8Array, additionalData: Uint8Array): Promise<Buffer>;
  close(): Promise<void>;
}

/** Not a blob of ours, altered, or bound to something else: one error, whatever it is. */
export class InvalidWrapping extends Error {
  override readonly name = 'InvalidWrapping';
  constructor() {
    super('the wrapped key is invalid');
  }
}

/** The version that a blob names is not here. */
export class UnknownRootKeyVersion extends Error {
  override readonly name = 'UnknownRootKeyVersion';
  constructor(readonly versionId: string) {
    super(`root key version ${versionId} is not here`);
  }
}

/** Something that an operator can mend; `message` says it in one line, without a secret. */
export class RootKeyError extends Error {
  override readonly name = 'RootKeyError';
}
