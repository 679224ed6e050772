/** A rule said no. `code` is the rule's name in the domain; each API has one table from codes to its own errors. */
export class DomainError<Code extends string = string> extends Error {
  override readonly name = 'DomainError';
  constructor(
    readonly code: Code,
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(code);
  }
}

/** Another writer appended to the stream first; deciding again on the new history may succeed. */
export class VersionConflict extends Error {
  override readonly name = 'VersionConflict';
  constructor(
    readonly streamId: string,
    readonly expectedVersion: number,
  ) {
    super(`stream ${streamId} is no longer at version ${String(expectedVersion)}`);
  }
}

/** Marks a switch as exhaustive; reached only when a type was lied about. */
export const assertNever = (value: never): never => {
  throw new TypeError(`unexpected value ${JSON.stringify(value)}`);
};
