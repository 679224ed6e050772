import type { AttachmentRecord, InstanceId, RequestContext } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import type { Attachments } from '../../application/ports.ts';

/** Attachments are the volumes service's; asked on each Describe, so that an answer is never behind an attach. */
export class AttachmentsOverBus implements Attachments {
  constructor(private readonly requests: Requests) {}

  async of(instanceIds: readonly InstanceId[], context: RequestContext): Promise<AttachmentRecord[]> {
    return (await this.requests.call('volumes', 'ListAttachments', { instanceIds: [...instanceIds] }, context))
      .attachments;
  }

  async all(context: RequestContext): Promise<AttachmentRecord[]> {
    return (await this.requests.call('volumes', 'ListAttachments', {}, context)).attachments;
  }
}
