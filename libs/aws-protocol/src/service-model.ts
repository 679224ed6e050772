/**
 * The generated tables' form. Keys are short because there are some ten thousand rows; every reader of a row is in this
 * library.
 */

export type ServiceId = 'ec2' | 'kms' | 'sts' | 'ebs' | 'iam' | 'cloudtrail' | 'rbin';
export type Protocol = 'ec2Query' | 'awsQuery' | 'awsJson1_1' | 'restJson1';

/** Lengths in characters (strings), bytes (blobs) or elements (lists, maps); values of numbers. Both inclusive. */
export interface Limits {
  readonly min?: number;
  readonly max?: number;
  /** A Java regular expression that the whole value must match. */
  readonly p?: string;
}

/**
 * `s` string, `i` 32-bit integer, `l` integer, `d` number, `b` boolean, `t` timestamp, `x` blob, `X` streaming payload,
 * `@Name` a structure or union.
 */
export type SimpleType = 's' | 'i' | 'l' | 'd' | 'b' | 't' | 'x' | 'X' | `@${string}`;
export interface ListType extends Limits {
  readonly l: TypeRow;
  /** XML tag and awsQuery key of an element, where it is not `member`. */
  readonly x?: string;
  /** Enum of an element. */
  readonly e?: string;
}
export interface MapType {
  readonly v: TypeRow;
  readonly kc?: Limits;
  readonly vc?: Limits;
}
export type TypeRow = SimpleType | ListType | MapType;

export interface MemberRow extends Limits {
  /** Name. */
  readonly n: string;
  readonly t: TypeRow;
  /** Form key (query protocols) and XML tag, where they are not the name. */
  readonly q?: string;
  readonly x?: string;
  /** HTTP header in lower case, query parameter, path label, payload. */
  readonly hh?: string;
  readonly hq?: string;
  readonly hl?: 1;
  readonly hp?: 1;
  /** Required. */
  readonly r?: 1;
  /** Name of the enum whose values are allowed. */
  readonly e?: string;
  /** Idempotency token: clients fill it in by themselves. */
  readonly tok?: 1;
  /** Sensitive: never logged. */
  readonly sen?: 1;
}

export interface ShapeRow {
  readonly m: readonly MemberRow[];
}

export interface OperationRow {
  /** Name of the input and output shape; null: none. */
  readonly in: string | null;
  readonly out: string | null;
  /** Only reads: CloudTrail's `readOnly`. */
  readonly ro?: 1;
  /** The signature may leave the body out. */
  readonly up?: 1;
  /** Method, path template, status of success. */
  readonly http?: readonly [string, string, number];
}

export interface ServiceModel {
  readonly protocol: Protocol;
  readonly version: string;
  readonly namespace?: string;
  readonly targetPrefix?: string;
  readonly operations: Readonly<Record<string, OperationRow>>;
  readonly shapes: Readonly<Record<string, ShapeRow>>;
  readonly enums: Readonly<Record<string, readonly string[]>>;
  /** HTTP status of the modelled errors, by the code on the wire. */
  readonly errors: Readonly<Record<string, number>>;
  /** Every operation the service has, space-separated, generated in full or not. */
  readonly allOperations: string;
}

export const isList = (type: TypeRow): type is ListType => typeof type === 'object' && 'l' in type;
export const isMap = (type: TypeRow): type is MapType => typeof type === 'object' && 'v' in type;
/** A structure's name, or undefined for any other type. */
export const structureName = (type: TypeRow): string | undefined =>
  typeof type === 'string' && type.startsWith('@') ? type.slice(1) : undefined;
