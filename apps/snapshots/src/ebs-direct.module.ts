import type { RequestContext } from '@holdfast/contracts';
import { EbsKeys } from '@holdfast/ec2';
import type { ServiceParts } from '@holdfast/service-kit';
import type { DynamicModule } from '@nestjs/common';
import { ebsDirectRequests } from './adapters/inbound/ebs-direct-actions.controller.ts';
import { DirectTokens } from './application/ebs-direct-tokens.ts';
import type { SnapshotStreams } from './application/ports.ts';
import { PAGE_TOKENS, STREAMS } from './snapshots.module.ts';

export const EBS_DIRECT_REQUESTS = Symbol('EBS direct requests');

/** The snapshots' module with EBS direct's operations in it. */
export const withEbsDirect = (module: DynamicModule, { bus, clock, database }: ServiceParts): DynamicModule => {
  const keys = new EbsKeys((action, input, context) => bus.request('kms', action, input, context));
  const pendingUploads = async ({ accountId, region }: RequestContext) => {
    const [row] = await database.query<{ pending: number }>(
      `SELECT count(*)::integer AS pending FROM snapshots
       WHERE owner_id = $1 AND region = $2 AND volume_id = 'vol-ffffffff' AND NOT is_copy AND state = 'pending'`,
      [accountId, region],
    );
    return row?.pending ?? 0;
  };
  const requests = async (snapshots: SnapshotStreams) => {
    // The key that the replicas share; the page tokens' factory has made it.
    const [row] = await database.query<{ key: string }>('SELECT key FROM page_token_key');
    if (row === undefined) throw new Error('the key of page tokens is missing');
    const tokens = new DirectTokens(row.key);
    const visible: Parameters<typeof ebsDirectRequests>[0]['visible'] = (snapshotId, context) =>
      bus.call('snapshots', 'GetSnapshot', { snapshotId }, context);
    return ebsDirectRequests({ snapshots, requests: bus, keys, clock, tokens, pendingUploads, visible });
  };
  const provider = { provide: EBS_DIRECT_REQUESTS, inject: [STREAMS, PAGE_TOKENS], useFactory: requests };
  return { ...module, providers: [...(module.providers ?? []), provider] };
};
