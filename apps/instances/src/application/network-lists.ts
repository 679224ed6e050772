import { AwsError, type RequestContext } from '@holdfast/contracts';
import {
  cutPage,
  dryRunOperation,
  type Filter,
  pageSize,
  type PageTokens,
  type RecordFilters,
  recordFilter,
  refuseParameters,
} from '@holdfast/ec2';

const MAX_PAGE = 1000;

export interface ListRequest {
  DryRun?: boolean;
  Filters?: Filter[];
  MaxResults?: number;
  NextToken?: string;
}

/** How one kind of resource is listed that has no tags. */
export interface ListRules<Item> {
  /** The API action, which page tokens are bound to. */
  readonly action: string;
  readonly idOf: (item: Item) => string;
  /** EC2's name of the explicit ids in refusals, e.g. `vpcSet`. */
  readonly idsParameter: string;
  /** EC2's code for an id that names nothing, and its text. */
  readonly notFound: readonly [code: string, text: (id: string) => string];
  readonly filters: RecordFilters<Item>;
  /** EC2 knows filters by tags where there could be some. */
  readonly taggable?: boolean;
}

/**
 * One page of what there is.
 * @param others parameters that are left: known to EC2 and refused here.
 * @throws AwsError
 */
export const listPage = <Item, Described>(
  items: readonly Item[],
  { ids, request, others }: { ids: readonly string[]; request: ListRequest; others: object },
  { action, idOf, idsParameter, notFound: [code, text], filters, taggable = true }: ListRules<Item>,
  describe: (item: Item) => Described,
  { tokens, context }: { tokens: PageTokens; context: RequestContext },
): { items: Described[]; nextToken: string | undefined } => {
  refuseParameters({ ...others });
  if (request.DryRun === true) throw dryRunOperation();
  const limit = pageSize(request, { maximum: MAX_PAGE, ids, idsParameter });
  const unknown = ids.find((id) => !items.some((item) => idOf(item) === id));
  if (unknown !== undefined) throw new AwsError({ code, message: text(unknown) });
  const { accountId, region } = context;
  const scope = { accountId, region, action };
  const after = request.NextToken === undefined ? '' : tokens.read(scope, request.NextToken);
  const matches = taggable
    ? recordFilter(request.Filters, { 'tag-key': () => [], ...filters }, () => ({}))
    : recordFilter(request.Filters, filters);
  const wanted = items
    .filter((item) => idOf(item) > after && (ids.length === 0 || ids.includes(idOf(item))) && matches(item))
    .sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  const page = cutPage(wanted.slice(0, limit + 1), limit, describe, idOf);
  return { items: page.items, nextToken: page.next === null ? undefined : tokens.issue(scope, page.next) };
};
