import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { invalidParameterCombination, invalidParameterValue } from './errors.ts';

export const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** Longer than any token we issue. */
const MAX_TOKEN_LENGTH = 1024;

/** Whom and what a token was issued for; a token of another account, Region or action is no token. */
export interface PageScope {
  readonly accountId: string;
  readonly region: string;
  readonly action: string;
}

const associatedData = ({ accountId, region, action }: PageScope) => Buffer.from(`${accountId}/${region}/${action}`);

/** Makes and reads NextToken: where the next page starts, encrypted and authenticated (AES-256-GCM), bound to its scope. */
export class PageTokens {
  private readonly key: Buffer;

  /** @param key 32 bytes, base64; one for all replicas of a service. It protects tokens and nothing else. */
  constructor(key: string) {
    this.key = Buffer.from(key, 'base64');
    if (this.key.length !== KEY_BYTES) throw new RangeError(`page token key of ${String(this.key.length)} bytes`);
  }

  issue(scope: PageScope, cursor: string): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key, iv).setAAD(associatedData(scope));
    return Buffer.concat([iv, cipher.update(cursor, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64');
  }

  /**
   * @param refusal the action's own words for a bad token.
   * @throws AwsError InvalidParameterValue when `token` was not issued for `scope`.
   */
  read(scope: PageScope, token: string, refusal = 'Unable to parse pagination token'): string {
    const bytes = token.length > MAX_TOKEN_LENGTH ? Buffer.alloc(0) : Buffer.from(token, 'base64');
    if (bytes.length < IV_BYTES + TAG_BYTES) throw invalidParameterValue(refusal);
    const decipher = createDecipheriv('aes-256-gcm', this.key, bytes.subarray(0, IV_BYTES))
      .setAAD(associatedData(scope))
      .setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      return decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      throw invalidParameterValue(refusal);
    }
  }
}

export interface PageRequest {
  MaxResults?: number;
  NextToken?: string;
}

export interface PageRules {
  /** More than this is answered with this many. */
  readonly maximum: number;
  /** Five unless said. */
  readonly minimum?: number;
  /** The explicit ids of the request, and the name EC2 gives that parameter in its refusal, e.g. `volumeIdsSet`. */
  readonly ids: readonly string[];
  readonly idsParameter: string;
  /** How the refusal of a MaxResults that is too small names it; `maxResults` unless said. */
  readonly maxResultsParameter?: string;
}

const MINIMUM_PAGE = 5;

/**
 * Number of items to answer with at most. Without MaxResults that is 1,000, and NextToken tells of the rest.
 * @throws AwsError InvalidParameterCombination | InvalidParameterValue
 */
export const pageSize = ({ MaxResults, NextToken }: PageRequest, rules: PageRules): number => {
  const { maximum, minimum = MINIMUM_PAGE, ids, idsParameter, maxResultsParameter = 'maxResults' } = rules;
  if (ids.length > 0 && (MaxResults !== undefined || NextToken !== undefined)) {
    const other = MaxResults === undefined ? 'nextToken' : 'maxResults';
    throw invalidParameterCombination(`The parameter ${idsParameter} cannot be used with the parameter ${other}`);
  }
  if (MaxResults === undefined) return Math.max(DEFAULT_PAGE, ids.length);
  if (MaxResults < minimum)
    throw invalidParameterValue(
      `Value ( ${String(MaxResults)} ) for parameter ${maxResultsParameter} is invalid. Expecting a value greater than ${String(minimum)}.`,
    );
  return Math.min(MaxResults, maximum);
};

const DEFAULT_PAGE = 1000;
/** Below what one message on the bus may carry; a page ends early rather than exceed it, as EC2's pages may. */
const MAX_PAGE_BYTES = 700_000;

/**
 * Cuts rows to one page.
 * @param rows at most `limit + 1` of them: the one too many tells that there is a next page.
 * @returns the page's items and the cursor of its last row when more follow, else null.
 */
export const cutPage = <Row, Item>(
  rows: readonly Row[],
  limit: number,
  itemOf: (row: Row) => Item,
  cursorOf: (row: Row) => string,
): { items: Item[]; next: string | null } => {
  const items: Item[] = [];
  let bytes = 0;
  for (const row of rows.slice(0, limit)) {
    const item = itemOf(row);
    bytes += Buffer.byteLength(JSON.stringify(item));
    if (bytes > MAX_PAGE_BYTES && items.length > 0) break;
    items.push(item);
  }
  const last = rows[items.length - 1];
  return { items, next: items.length < rows.length && last !== undefined ? cursorOf(last) : null };
};

/** What a paged Describe is about: its name, whose it is, and what its request may say. */
export interface DescribeRules extends PageRules {
  readonly action: string;
  readonly tokens: PageTokens;
  /** The action's own words for a bad NextToken, where it has some. */
  readonly badToken?: (token: string) => string;
}

/**
 * One page of a Describe whose rows are read in the order of their `position`.
 * @param read gets where to begin (absent: at the beginning) and how many rows are wanted at most.
 * @throws AwsError InvalidParameterCombination | InvalidParameterValue; and as `read` does.
 */
export const describePage = async <Row extends { readonly position: string }, Item>(
  request: PageRequest,
  { accountId, region }: Pick<PageScope, 'accountId' | 'region'>,
  { action, tokens, badToken, ...rules }: DescribeRules,
  read: (window: { readonly after: string | undefined; readonly limit: number }) => Promise<readonly Row[]>,
  itemOf: (row: Row) => Item,
): Promise<{ items: Item[]; NextToken: string | undefined }> => {
  const limit = pageSize(request, rules);
  const scope = { accountId, region, action };
  const { NextToken } = request;
  const after = NextToken === undefined ? undefined : tokens.read(scope, NextToken, badToken?.(NextToken));
  const rows = await read({ after, limit: limit + 1 });
  const { items, next } = cutPage(rows, limit, itemOf, ({ position }) => position);
  return { items, NextToken: next === null ? undefined : tokens.issue(scope, next) };
};
