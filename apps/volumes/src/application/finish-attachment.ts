import { type HostAttachment, type InstanceId, instancePrincipal, type VolumeId } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import {
  attachmentGrant,
  ebsServiceContext,
  type EbsKeys,
  forwardedContext,
  isRefusal,
  volumeGrant,
} from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { type Attachment, attachmentOf, isShared, performanceOf, type VolumeState } from '../domain/volume-state.ts';
import type { AttachmentFailed, VolumeCreated } from '../domain/volume.events.ts';
import { deadline } from './deadline.ts';
import type { Cause, VolumeStreams } from './ports.ts';
import { retentionOf } from './retention.ts';

interface Attaching {
  created: VolumeCreated;
  attachment: Attachment;
  dataKey: VolumeState['dataKey'];
  /** EBS's own, which outlasts the attachment. */
  serviceGrantId: string | null;
  multiAttach: boolean;
  configuration: VolumeState['configuration'];
}

/**
 * From `attaching` to `attached`, and from `detaching` to detached, with the key's grant made and taken back. Steps may be
 * taken again after a crash. While one of these is under way the instance can't be given the volume again, so what is undone
 * here is never a later attachment's.
 */
export class FinishAttachment {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly keys: EbsKeys,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  /** Reacts to AttachmentStarted. */
  async attach(volumeId: VolumeId, instanceId: InstanceId, cause: Cause): Promise<void> {
    const attaching = await this.current(volumeId, instanceId, 'attaching');
    if (attaching === null) return;
    try {
      // Asked again, since the instance may have ended between the request's checks and the attachment's first event.
      const instance = await this.requests.call('instances', 'GetInstance', { instanceId }, forwardedContext(cause.caller, deadline())); // prettier-ignore
      if (instance?.state === 'stopped') {
        await this.createServiceGrant(attaching, cause);
        // Its devices open when it starts, and that is when their keys are used.
        const at = this.clock.instant();
        await this.volumes.handle({ type: 'CompleteAttachment', volumeId, instanceId, suspended: true, at }, cause);
        return;
      }
      if (instance?.state !== 'running' && instance?.state !== 'pending')
        return await this.fail(attaching, 'InstanceNotRunning', `instance is ${instance?.state ?? 'gone'}`, cause);
      await this.createServiceGrant(attaching, cause);
      await this.createGrant(attaching, cause);
      await this.requests.call(
        'data-plane',
        'OpenExport',
        hostAttachment(attaching, cause.caller.requestId),
        ebsServiceContext(cause.caller, deadline()),
      );
      await this.volumes.handle({ type: 'CompleteAttachment', volumeId, instanceId, at: this.clock.instant() }, cause);
    } catch (error) {
      // The instance was terminated meanwhile: its release takes back whatever was made.
      if (hasEnded(error)) return this.detach(volumeId, instanceId, cause);
      if (!isRefusal(error)) throw error;
      await this.fail(attaching, 'KeyUnusable', error.message === '' ? error.code : error.message, cause);
    }
  }

  /** Reacts to DetachmentStarted. */
  async detach(volumeId: VolumeId, instanceId: InstanceId, cause: Cause): Promise<void> {
    const detaching = await this.current(volumeId, instanceId, 'detaching');
    if (detaching === null) return;
    await this.close(detaching, cause, true);
    // Released before it was attached, or a crash kept what was made from being noted.
    const { attachment, serviceGrantId } = detaching;
    if (attachment.grantId === null && serviceGrantId === null) await this.retireServiceGrant(detaching, cause, true);
    const retentionDays = attachment.deleteVolume ? await this.retention(volumeId, cause) : null;
    const at = this.clock.instant();
    await this.volumes.handle({ type: 'CompleteDetachment', volumeId, instanceId, retentionDays, at }, cause);
  }

  private async retention(volumeId: VolumeId, { caller }: Cause): Promise<number | null> {
    return retentionOf(await this.volumes.load(volumeId), this.requests, forwardedContext(caller, deadline()));
  }

  /**
   * The instance starts again: the device opens under a fresh grant.
   * @returns why it can't; null when it is open, or detached meanwhile.
   */
  async resume(volumeId: VolumeId, instanceId: InstanceId, cause: Cause): Promise<string | null> {
    const suspended = await this.current(volumeId, instanceId, 'attached');
    if (suspended?.attachment.suspended !== true) return null;
    try {
      await this.createGrant(suspended, cause);
      const context = ebsServiceContext(cause.caller, deadline());
      await this.requests.call('data-plane', 'OpenExport', hostAttachment(suspended, cause.caller.requestId), context);
      await this.volumes.handle({ type: 'ResumeAttachment', volumeId, instanceId, at: this.clock.instant() }, cause);
      return null;
    } catch (error) {
      if (hasEnded(error)) {
        await this.close(suspended, cause, true);
        return null;
      }
      if (!isRefusal(error)) throw error;
      const text = error.message === '' ? error.code : error.message;
      const { requestId } = cause.caller;
      const at = this.clock.instant();
      const failure = { type: 'NoteReattachmentFailure', volumeId, instanceId, cause: text, requestId, at } as const;
      await this.volumes.handle(failure, cause);
      return text;
    }
  }

  /** The instance stops, or could not start: the device closes and the grant goes; the volume stays attached. */
  async suspend(volumeId: VolumeId, instanceId: InstanceId, cause: Cause): Promise<void> {
    const attached = await this.current(volumeId, instanceId, 'attached');
    if (attached === null) return;
    await this.close(attached, cause, attached.attachment.suspended);
    await this.volumes.handle({ type: 'SuspendAttachment', volumeId, instanceId, at: this.clock.instant() }, cause);
  }

  private async current(
    volumeId: VolumeId,
    instanceId: InstanceId,
    status: Attachment['status'],
  ): Promise<Attaching | null> {
    const state = await this.volumes.load(volumeId);
    const { created, dataKey } = state;
    const attachment = attachmentOf(state, instanceId);
    if (created === null || attachment?.status !== status) return null;
    return {
      created,
      attachment,
      dataKey,
      serviceGrantId: state.grantId,
      multiAttach: isShared(state),
      configuration: state.configuration,
    };
  }

  /** What EBS itself keeps from the first attachment to the volume's end. */
  private async createServiceGrant({ created, dataKey, serviceGrantId }: Attaching, cause: Cause): Promise<void> {
    if (dataKey === null || serviceGrantId !== null) return;
    const grantId = await this.keys.createGrant(
      serviceGrantOf(created, dataKey),
      forwardedContext(cause.caller, deadline()),
    );
    const { volumeId } = created;
    await this.volumes.handle({ type: 'RecordGrant', volumeId, grantId, at: this.clock.instant() }, cause);
  }

  /** Of an attachment that failed: nothing stays behind unless others need it. */
  private async retireServiceGrant({ created, dataKey }: Attaching, cause: Cause, search = false): Promise<void> {
    const { volumeId } = created;
    const { grantId: noted, attachments } = await this.volumes.load(volumeId);
    if (dataKey === null || attachments.length > 1) return;
    const find = () =>
      this.keys.findGrant(serviceGrantOf(created, dataKey), forwardedContext(cause.caller, deadline()));
    const grantId = noted ?? (search ? await find() : null);
    if (grantId === null) return;
    await this.keys.retireGrant(dataKey.keyArn, grantId, ebsServiceContext(cause.caller, deadline()));
    await this.volumes.handle({ type: 'NoteGrantRetired', volumeId, at: this.clock.instant() }, cause);
  }

  private async createGrant({ created, attachment, dataKey }: Attaching, cause: Cause): Promise<void> {
    if (dataKey === null || attachment.grantId !== null) return;
    const { volumeId } = created;
    const { instanceId } = attachment;
    const grant = grantOf(created, instanceId, dataKey);
    const grantId = await this.keys.createGrant(grant, forwardedContext(cause.caller, deadline()));
    const command = { type: 'RecordAttachmentGrant', volumeId, instanceId, grantId, at: this.clock.instant() } as const;
    await this.volumes.handle(command, cause);
  }

  /** Undoes first and says so last: while the volume is `attaching` nobody else can attach it. */
  private async fail(
    attaching: Attaching,
    reason: AttachmentFailed['reason'],
    text: string,
    cause: Cause,
  ): Promise<void> {
    const { volumeId } = attaching.created;
    const { instanceId } = attaching.attachment;
    const current = await this.current(volumeId, instanceId, 'attaching');
    await this.close(current ?? attaching, cause, cause.retried);
    // What the volume had before this attachment, it keeps.
    if (attaching.serviceGrantId === null) await this.retireServiceGrant(attaching, cause, cause.retried);
    const at = this.clock.instant();
    await this.volumes.handle({ type: 'FailAttachment', volumeId, instanceId, reason, cause: text, at }, cause);
  }

  /** @param search whether a crash may have kept a grant's id from being noted. */
  private async close({ created, attachment, dataKey }: Attaching, cause: Cause, search = false): Promise<void> {
    const { volumeId } = created;
    const { instanceId } = attachment;
    const context = ebsServiceContext(cause.caller, deadline());
    await this.requests.call('data-plane', 'CloseExport', { volumeId, instanceId }, context);
    if (dataKey === null) return;
    const find = () =>
      this.keys.findGrant(grantOf(created, instanceId, dataKey), forwardedContext(cause.caller, deadline()));
    const grantId = attachment.grantId ?? (search ? await find() : null);
    if (grantId !== null) await this.keys.retireGrant(dataKey.keyArn, grantId, context);
  }
}

/** The attachment was taken back meanwhile. */
const hasEnded = (error: unknown): boolean =>
  error instanceof DomainError && (error.code === 'AttachmentNotStarted' || error.code === 'VolumeNotCreating');

const serviceGrantOf = (
  { volumeId, region }: VolumeCreated,
  { keyArn, encryptionContext }: NonNullable<VolumeState['dataKey']>,
) => volumeGrant(keyArn, region, encryptionContext, `ebs-volume-${volumeId}`);

const grantOf = (
  created: VolumeCreated,
  instanceId: InstanceId,
  { keyArn, encryptionContext }: NonNullable<VolumeState['dataKey']>,
) => attachmentGrant(keyArn, created, instanceId, encryptionContext, `ebs-attach-${created.volumeId}-${instanceId}`);

const hostAttachment = (
  { created, attachment, dataKey, multiAttach, configuration }: Attaching,
  requestId: string,
): HostAttachment => {
  const { volumeId, accountId, region } = created;
  const { instanceId, device } = attachment;
  const served = {
    volumeId,
    instanceId,
    device,
    ...(multiAttach ? { multiAttach } : {}),
    performance: performanceOf(configuration),
  };
  if (dataKey === null) return served;
  const principal = instancePrincipal(accountId, instanceId);
  return { ...served, dataKey: { ...dataKey, principal, accountId, region, requestId } };
};
