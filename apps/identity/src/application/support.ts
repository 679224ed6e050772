import type { iam as api } from '@holdfast/aws-protocol';
import { AwsError, callerOf, type RequestContext } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { admitPolicy, PolicyError, type PolicyKind } from '@holdfast/iam';
import { refuse } from '../domain/errors.ts';
import type { IamCommand } from '../domain/iam.commands.ts';
import type { Tags } from '../domain/iam.events.ts';
import type { NamedKind } from '../domain/iam.state.ts';
import type { Iam, IdentityRow } from './ports.ts';

type DistributiveOmit<Union, Keys extends PropertyKey> = Union extends unknown ? Omit<Union, Keys> : never;

/** Changes the caller's account. @throws DomainError */
export const change = async (
  iam: Iam,
  context: RequestContext,
  command: DistributiveOmit<IamCommand, 'accountId' | 'at'>,
): Promise<Record<string, never>> => {
  const addressed = { ...command, accountId: context.accountId, at: iam.clock.instant() } as IamCommand;
  await iam.accounts.handle(addressed, callerOf(context));
  return {};
};

/** @throws DomainError EntityNotFound */
export const existingRow = async (
  iam: Iam,
  { accountId }: RequestContext,
  kind: NamedKind,
  name: string,
): Promise<IdentityRow> => {
  const row = await iam.tables.identity(accountId, kind, name);
  return row ?? refuse('EntityNotFound', { kind, name });
};

/**
 * The user whom a request without UserName means: the caller.
 * @throws AwsError ValidationError for callers who are no user.
 */
export const userNameOf = async (
  iam: Iam,
  name: string | undefined,
  { principal }: RequestContext,
): Promise<string> => {
  if (name !== undefined) return name;
  const user = principal.type === 'User' ? await iam.tables.identityById(principal.principalId) : null;
  if (user !== null) return user.name;
  throw new AwsError({
    code: 'ValidationError',
    message: 'Must specify userName when calling with non-User credentials',
  });
};

/** @throws AwsError MalformedPolicyDocument | LimitExceeded with the parser's reason. */
export const checkDocument = (document: string, kind: PolicyKind): void => {
  try {
    admitPolicy(document, kind);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    const code = error.code === 'TooLarge' ? 'LimitExceeded' : 'MalformedPolicyDocument';
    throw new AwsError({ code, message: error.message });
  }
};

/** Documents in answers are percent-encoded. @see RFC 3986 */
export const encodedDocument = (document: string): string =>
  encodeURIComponent(document).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );

interface ApiTag {
  Key: string;
  Value: string;
}

const duplicateTagKeys = () =>
  new AwsError({
    code: 'InvalidInput',
    message: 'Duplicate tag keys found. Please note that Tag keys are case insensitive.',
  });

/** @throws AwsError InvalidInput for a key given twice, or reserved. */
export const tagsOf = (list: readonly ApiTag[] | undefined): Tags => {
  const entries = (list ?? []).map(({ Key, Value }): [string, string] => [Key, Value]);
  if (new Set(entries.map(([key]) => key.toLowerCase())).size < entries.length) throw duplicateTagKeys();
  if (entries.some(([key]) => key.toLowerCase().startsWith('aws:'))) {
    throw new AwsError({
      code: 'InvalidInput',
      message: 'Tag keys that begin with aws: are reserved for internal use.',
    });
  }
  return Object.fromEntries(entries);
};

export const tagList = (tags: Tags): ApiTag[] => Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

const DEFAULT_PAGE = 100;
const MAX_PAGE = 1000;

interface PageRequest {
  MaxItems?: number;
  Marker?: string;
}
interface PageEnd {
  IsTruncated: boolean;
  Marker?: string;
}

/**
 * One page of a list and how it ends.
 * @param list names the list and what it is of: a marker is good for the same list of the same account only.
 * @param read up to `limit` rows after the one that `after` names ('' for the first page), in the order of `keyOf`.
 * @throws AwsError ValidationError for a marker of another list.
 */
export const page = async <Row>(
  iam: Iam,
  { accountId }: RequestContext,
  list: readonly string[],
  { MaxItems = DEFAULT_PAGE, Marker }: PageRequest,
  read: (after: string, limit: number) => Promise<readonly Row[]>,
  keyOf: (row: Row) => string,
): Promise<{ rows: readonly Row[]; end: PageEnd }> => {
  const name = JSON.stringify([accountId, ...list]);
  const after = Marker === undefined ? '' : iam.markers.read(name, Marker);
  if (after === null) throw new AwsError({ code: 'ValidationError', message: 'Invalid Marker.' });
  const size = Math.min(MaxItems, MAX_PAGE);
  const found = await read(after, size + 1);
  const rows = found.slice(0, size);
  const last = rows.at(-1);
  const isTruncated = found.length > size && last !== undefined;
  return {
    rows,
    end: isTruncated ? { IsTruncated: true, Marker: iam.markers.write(name, keyOf(last)) } : { IsTruncated: false },
  };
};

/** A page of a list that quotas keep short: read as a whole. */
export const pageOf = <Row>(
  iam: Iam,
  context: RequestContext,
  list: readonly string[],
  request: PageRequest,
  rows: readonly Row[],
  keyOf: (row: Row) => string,
): Promise<{ rows: readonly Row[]; end: PageEnd }> => {
  const sorted = [...rows].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const read = (after: string, limit: number) =>
    Promise.resolve(sorted.filter((row) => keyOf(row) > after).slice(0, limit));
  return page(iam, context, list, request, read, keyOf);
};

export const boundaryShape = (arn: string | null): { PermissionsBoundary?: api.AttachedPermissionsBoundary } =>
  arn === null
    ? {}
    : {
        PermissionsBoundary: { PermissionsBoundaryType: 'PermissionsBoundaryPolicy', PermissionsBoundaryArn: arn },
      };

export const tagsShape = (tags: Tags): { Tags?: ApiTag[] } =>
  Object.keys(tags).length === 0 ? {} : { Tags: tagList(tags) };

const POLICY_ARN = /^arn:aws:iam::(?:\d{12}|aws):policy\/[\w+=,.@/-]+$/;

/** @throws AwsError InvalidInput for what is no policy's ARN. */
export const checkPolicyArn = (arn: string): string => {
  if (POLICY_ARN.test(arn)) return arn;
  throw new AwsError({ code: 'InvalidInput', message: `ARN ${arn} is not valid.` });
};

export const isRefusal = (error: unknown, code: string): boolean => error instanceof DomainError && error.code === code;
