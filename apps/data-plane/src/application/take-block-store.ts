import {
  claimStore,
  ForeignStore,
  type ObjectStore,
  readClaim,
  type StoreLayout,
  StoreUnavailable,
} from '@holdfast/block-store';
import type { Logger } from '@holdfast/service-kit';

/**
 * At the start: the place in the object store is this host's and no other's. A store that it has taken before may be away;
 * it is asked again before anything is removed.
 * @throws ForeignStore; StoreUnavailable when it is to be taken now.
 */
export const takeBlockStore = async (
  layout: StoreLayout,
  objects: ObjectStore | undefined,
  logger: Logger,
): Promise<void> => {
  const claim = readClaim(layout.claim);
  if (objects === undefined) {
    if (claim?.taken === true)
      throw new ForeignStore(`the blocks of this host are in ${claim.url}: HOLDFAST_BLOCK_STORE must name it`);
    return;
  }
  try {
    await claimStore(objects, layout.claim);
  } catch (error) {
    if (!(error instanceof StoreUnavailable) || claim?.taken !== true || claim.url !== objects.url) throw error;
    logger.warn({ reason: error.message }, 'the block store does not answer yet');
  }
};
