import { createHash } from 'node:crypto';
import { AwsError } from '@holdfast/contracts';
import { invalidParameterValue } from './errors.ts';

const MAX_TOKEN_LENGTH = 64;

/** @throws AwsError InvalidParameterValue */
export const checkClientToken = (token: string | undefined): void => {
  if (token !== undefined && token.length > MAX_TOKEN_LENGTH)
    throw invalidParameterValue('Client token must be less than or equal to 64 characters.');
};

/** The object with its members in one order at every depth and without those that are undefined. */
const canonical = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return members.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, member]) => [name, canonical(member)]);
};

/**
 * Digest of what a request asks for. Callers give the request's meaning rather than its text: defaults filled in, tags as an
 * object, no DryRun and no token, so that requests EC2 takes for the same have the same digest.
 */
export const parametersHash = (meaning: Readonly<Record<string, unknown>>): string =>
  createHash('sha256')
    .update(JSON.stringify(canonical(meaning)))
    .digest('hex');

/** The token stands for another request. */
export const idempotentParameterMismatch = () =>
  new AwsError({
    code: 'IdempotentParameterMismatch',
    message: 'Parameters on this idempotent request are inconsistent with parameters used in previous request(s).',
  });

/** The token stands for a resource that is gone, one whose creation failed included. */
export const clientTokenBurned = (token: string, resourceId: string) =>
  new AwsError({
    code: 'IdempotentParameterMismatch',
    message: `The client token '${token}' is associated with resource '${resourceId}' which has already been deleted. Please use a different client token.`,
  });
