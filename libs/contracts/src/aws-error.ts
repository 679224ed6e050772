/** An error as an AWS API answers it. The gateway knows each protocol's envelope and status. */
export interface AwsErrorShape {
  /** AWS's error code, e.g. `InvalidVolume.NotFound`. */
  readonly code: string;
  /** Absent where AWS sends none (KMS InvalidCiphertextException). */
  readonly message?: string;
  /** HTTP status, where it differs from the protocol's usual one for `code`. */
  readonly status?: number;
  /** Further members of the error's shape, e.g. EBS direct's `Reason`. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** Thrown by a service's inbound adapter, carried over the bus, thrown again at the caller. */
export class AwsError extends Error implements AwsErrorShape {
  override readonly name = 'AwsError';
  readonly code: string;
  readonly status?: number;
  readonly members?: Readonly<Record<string, unknown>>;
  constructor(shape: AwsErrorShape) {
    super(shape.message ?? '');
    this.code = shape.code;
    this.status = shape.status;
    this.members = shape.members;
  }
}
