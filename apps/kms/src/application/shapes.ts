import { MAC_ALGORITHMS, type MacAlgorithm, SIGNING_ALGORITHMS, type SigningAlgorithm } from '@holdfast/crypto';
import { z } from 'zod';
import { refuse } from '../domain/errors.ts';

// Shapes of requests as AWS's model declares them. A member that is not listed is not implemented, and refused.

export const keyId = z.string().min(1).max(2048);
export const grantTokens = z.array(z.string().min(1).max(8192)).max(10).optional();
export const dryRun = z.boolean().optional();
export const limit = z.number().int().min(1).max(1000).optional();
export const marker = z.string().min(1).max(1024).optional();
export const principalArn = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[\w+=,.@:/-]+$/);
export const grantId = z.string().min(1).max(128);
export const aliasName = z.string().min(1).max(256);
export const encryptionAlgorithm = z
  .enum(['SYMMETRIC_DEFAULT', 'RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'SM2PKE'])
  .optional();
export const policyText = z.string().min(1).max(131_072);
export const regionName = z
  .string()
  .min(1)
  .max(32)
  .regex(/^([a-z]+-){2,3}\d+$/);
/** As the gateway hands timestamps on: ISO 8601. */
export const timestamp = z.iso.datetime({ offset: true }).transform((text) => new Date(text));
export const tag = z.strictObject({ TagKey: z.string().min(1).max(128), TagValue: z.string().max(256) });

export const tagList = z.array(tag);

export const signingAlgorithm = z.enum([
  ...(Object.keys(SIGNING_ALGORITHMS) as [SigningAlgorithm, ...SigningAlgorithm[]]),
  'SM2DSA',
]);
export const macAlgorithm = z.enum(Object.keys(MAC_ALGORITHMS) as [MacAlgorithm, ...MacAlgorithm[]]);

/** All pairs together, in UTF-8. */
const MAX_CONTEXT_BYTES = 8192;
/** NUL and lone surrogates: the log cannot hold them, and UTF-8 could not tell surrogates apart. */
const UNSTORABLE = /\0|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/**
 * A map of strings, given on as it came: a parser that copies it would drop a pair named `__proto__`, and what was
 * encrypted under that pair would open without it.
 */
const stringMap = z.custom<Record<string, string>>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((text) => typeof text === 'string'),
);

export const encryptionContext = stringMap
  .refine((pairs) => !Object.entries(pairs).flat().some((text) => UNSTORABLE.test(text)), {
    params: { says: 'EncryptionContext contains a character that is not supported.' },
  })
  .refine((pairs) => Object.entries(pairs).flat().reduce((sum, text) => sum + Buffer.byteLength(text), 0) <= MAX_CONTEXT_BYTES, {
    params: { says: `EncryptionContext must not be longer than ${String(MAX_CONTEXT_BYTES)} bytes.` },
  })
  .optional(); // prettier-ignore

const lowerCamel = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);

/** `tags.1.member.tagKey`: lists count from one. */
const memberPath = (path: readonly PropertyKey[]): string =>
  path.map((step) => (typeof step === 'number' ? `${String(step + 1)}.member` : lowerCamel(String(step)))).join('.');

const valueAt = (input: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, step) => (value as Record<PropertyKey, unknown> | undefined)?.[step], input);

const constraintOf = (issue: z.core.$ZodIssue): string => {
  switch (issue.code) {
    case 'too_small':
      return `have ${issue.origin === 'number' ? 'value' : 'length'} greater than or equal to ${String(issue.minimum)}`;
    case 'too_big':
      return `have ${issue.origin === 'number' ? 'value' : 'length'} less than or equal to ${String(issue.maximum)}`;
    case 'invalid_value':
      return `satisfy enum value set: [${issue.values.map(String).join(', ')}]`;
    case 'invalid_format':
      return `satisfy regular expression pattern: ${(issue.pattern ?? '').replace(/^\/|\/$/g, '').replaceAll('\\/', '/')}`;
    default:
      return 'be of its declared type';
  }
};

const violation = (issue: z.core.$ZodIssue, input: unknown): string => {
  const value = valueAt(input, issue.path);
  if (value === undefined)
    return `Value null at '${memberPath(issue.path)}' failed to satisfy constraint: Member must not be null`;
  const shown = typeof value === 'string' || typeof value === 'number' ? ` '${String(value)}'` : '';
  return `Value${shown} at '${memberPath(issue.path)}' failed to satisfy constraint: Member must ${constraintOf(issue)}`;
};

const messageOf = (issues: readonly z.core.$ZodIssue[], input: unknown): string => {
  const own = issues.find((issue) => issue.code === 'custom' && issue.params?.['says'] !== undefined);
  if (own?.code === 'custom') return String(own.params?.['says']);
  const count = issues.length === 1 ? '1 validation error' : `${String(issues.length)} validation errors`;
  return `${count} detected: ${issues.map((issue) => violation(issue, input)).join('; ')}`;
};

/** A member sent as null is a member not sent. */
const withoutNulls = (input: unknown): unknown =>
  typeof input === 'object' && input !== null && !Array.isArray(input)
    ? Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null))
    : input;

/** @throws DomainError Invalid with AWS's text, NotSupported for members that the shape does not list. */
export const parseInput = <Shape extends z.ZodType>(shape: Shape, input: unknown): z.output<Shape> => {
  const given = withoutNulls(input);
  const parsed = shape.safeParse(given);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const unknown = issues.find((issue) => issue.code === 'unrecognized_keys');
  if (unknown?.code === 'unrecognized_keys') {
    return refuse('NotSupported', { message: `The parameter ${unknown.keys.join(', ')} is not supported.` });
  }
  return refuse('Invalid', { message: messageOf(issues, given) });
};

/** Bytes of a blob member. @throws DomainError Invalid, which never shows the value. */
export const checkBlobLength = (member: string, sizeBytes: number, maxBytes: number): void => {
  if (sizeBytes >= 1 && sizeBytes <= maxBytes) return;
  const rule = sizeBytes < 1 ? 'greater than or equal to 1' : `less than or equal to ${String(maxBytes)}`;
  const text = `Value at '${lowerCamel(member)}' failed to satisfy constraint: Member must have length ${rule}`;
  refuse('Invalid', { message: `1 validation error detected: ${text}` });
};

/** The bytes of a blob member. @throws DomainError Invalid */
export const blobOf = (member: string, base64: string, maxBytes: number): Buffer => {
  const blob = Buffer.from(base64, 'base64');
  checkBlobLength(member, blob.length, maxBytes);
  return blob;
};

/** @throws DomainError Invalid */
export const ciphertextBlob = (base64: string): Buffer => blobOf('CiphertextBlob', base64, 6144);
