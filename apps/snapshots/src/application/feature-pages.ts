import type { RequestContext } from '@holdfast/contracts';
import { cutPage, pageSize, type PageTokens } from '@holdfast/ec2';

interface PagedRequest {
  MaxResults?: number;
  NextToken?: string;
  SnapshotIds?: readonly string[];
}

/** One page of a list whose rows tell their position. */
export const featurePage = async <Row extends { position: string }, Item>(
  {
    tokens,
    action,
    input,
    context,
  }: { tokens: PageTokens; action: string; input: PagedRequest; context: RequestContext },
  read: (page: { after: string | undefined; limit: number }) => Promise<readonly Row[]>,
  itemOf: (row: Row) => Item,
): Promise<{ items: Item[]; nextToken: string | undefined }> => {
  const { MaxResults, NextToken, SnapshotIds: ids = [] } = input;
  const limit = pageSize({ MaxResults, NextToken }, { maximum: 1000, ids, idsParameter: 'snapshotIdsSet' });
  const scope = { accountId: context.accountId, region: context.region, action };
  const after = NextToken === undefined ? undefined : tokens.read(scope, NextToken);
  const rows = await read({ after, limit: limit + 1 });
  const { items, next } = cutPage(rows, limit, itemOf, ({ position }) => position);
  return { items, nextToken: next === null ? undefined : tokens.issue(scope, next) };
};
