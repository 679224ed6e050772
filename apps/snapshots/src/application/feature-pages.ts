import type { RequestContext } from '@holdfast/contracts';
import { describePage, type PageTokens } from '@holdfast/ec2';

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
  const page = { action, tokens, maximum: 1000, ids, idsParameter: 'snapshotIdsSet' };
  const answer = await describePage({ MaxResults, NextToken }, context, page, read, itemOf);
  return { items: answer.items, nextToken: answer.NextToken };
};
