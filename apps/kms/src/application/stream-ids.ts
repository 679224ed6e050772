import type { Place } from '../domain/names.ts';

export { keyStream } from '../domain/names.ts';

export const grantStream = (grantId: string): string => `grant-${grantId}`;
export const aliasStream = (id: string): string => `alias-${id}`;

/** An alias name is unique in its account and Region. */
export const aliasId = ({ accountId, region }: Place, aliasName: string): string =>
  `${accountId}-${region}-${aliasName}`;
