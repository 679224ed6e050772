import type { InstanceRecord, InternalRequests, RequestContext } from '@holdfast/contracts';
import { instanceType } from '../domain/instance-types.ts';
import type { InstanceTable } from './ports.ts';

/** Null when the caller has no such instance in this Region. */
export class GetInstance {
  constructor(private readonly instances: InstanceTable) {}

  async run(
    { instanceId }: InternalRequests['instances']['GetInstance']['in'],
    { accountId, region }: RequestContext,
  ): Promise<InstanceRecord | null> {
    const row = await this.instances.byId(instanceId);
    if (row?.accountId !== accountId || row.region !== region) return null;
    const { state, availabilityZone, hostId } = row;
    const type = instanceType(row.instanceType);
    return {
      instanceId,
      accountId,
      region,
      state,
      availabilityZone,
      instanceType: row.instanceType,
      hypervisor: type?.hypervisor ?? 'xen',
      maximumEbsAttachments: type?.maximumEbsAttachments ?? 0,
      ebsEncryptionSupported: type?.ebsEncryptionSupported ?? false,
      hostId,
    };
  }
}
