import type { ImageId, Region, RequestContext, SnapshotId, SnapshotRecord } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import type { SnapshotTable, Viewer } from './ports.ts';

/** What an account sees, which the settings of other accounts have a say in. */
export class Viewers {
  constructor(
    private readonly table: SnapshotTable,
    private readonly requests: Requests,
  ) {}

  /** The settings are asked for each time, so that a block hides what it hides at once. */
  async viewer(context: RequestContext): Promise<Viewer> {
    const { accountId, region } = context;
    const accounts = await this.table.publicOwners(context);
    if (accounts.length === 0) return { accountId, region, hiding: [] };
    const { hiding } = await this.requests.call('account-settings', 'ListHiddenPublicSnapshots', { accounts }, context);
    return { accountId, region, hiding };
  }

  /** @param region where the snapshot is; null when the caller sees no such snapshot there. */
  async record(snapshotId: SnapshotId, region: Region, context: RequestContext): Promise<SnapshotRecord | null> {
    return this.table.record(snapshotId, await this.viewer({ ...context, region }));
  }

  /** What the caller may launch from as well: a snapshot whose owner shares an image of it. */
  async recordThroughImage(
    snapshotId: SnapshotId,
    imageId: ImageId,
    context: RequestContext,
  ): Promise<SnapshotRecord | null> {
    const found = await this.record(snapshotId, context.region, context);
    if (found !== null) return found;
    const image = await this.requests.call('instances', 'GetLaunchableImageOwner', { imageId, snapshotId }, context);
    if (image === null) return null;
    const { region } = context;
    const owners = await this.table.record(snapshotId, { accountId: image.ownerId, region, hiding: [] });
    return owners?.ownerId === image.ownerId ? owners : null;
  }
}
