import type { AccountId, Instant, Region } from '@holdfast/contracts';

/** The facts of one alias name in one account and Region; stream `alias-<account>-<Region>-<alias name>`. */
export type AliasEvent =
  | {
      type: 'AliasCreated';
      aliasName: string;
      accountId: AccountId;
      region: Region;
      targetKeyId: string;
      at: Instant;
    }
  | {
      type: 'AliasUpdated';
      aliasName: string;
      accountId: AccountId;
      region: Region;
      targetKeyId: string;
      at: Instant;
    }
  | { type: 'AliasDeleted'; aliasName: string; accountId: AccountId; region: Region; at: Instant };
