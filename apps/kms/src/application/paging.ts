import type { RequestContext } from '@holdfast/contracts';
import type { Kms } from './ports.ts';

export interface PageRequest {
  readonly Limit?: number | undefined;
  readonly Marker?: string | undefined;
}

/**
 * One page of a list, with a marker to the next when there is more.
 * @param list what is listed, and of what: a marker is good for the same list of the same caller only.
 * @param read `limit` items after the one that `after` names ('' for the first page), in a fixed order.
 * @throws DomainError InvalidMarker
 */
export const page = async <Item>(
  kms: Kms,
  { accountId, region }: RequestContext,
  list: readonly string[],
  { Limit, Marker }: PageRequest,
  sizes: { readonly byDefault: number; readonly most: number },
  read: (after: string, limit: number) => Promise<readonly Item[]>,
  nameOf: (item: Item) => string,
): Promise<{ items: readonly Item[]; paging: { Truncated: boolean; NextMarker?: string } }> => {
  const name = JSON.stringify([accountId, region, ...list]);
  const after = Marker === undefined ? '' : kms.markers.read(name, Marker);
  const size = Math.min(Limit ?? sizes.byDefault, sizes.most);
  const found = await read(after, size + 1);
  const items = found.slice(0, size);
  const last = items.at(-1);
  const truncated = found.length > size && last !== undefined;
  return {
    items,
    paging: truncated ? { Truncated: true, NextMarker: kms.markers.write(name, nameOf(last)) } : { Truncated: false },
  };
};
