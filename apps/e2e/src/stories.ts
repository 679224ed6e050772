/** A line of `holdfast events --json`, with what the stories below read of it. */
export interface LoggedEvent {
  readonly streamId: string;
  readonly type: string;
  readonly data: {
    readonly instanceId?: string;
    readonly grantId?: string;
    readonly device?: string;
    readonly suspended?: boolean;
    readonly multiAttachEnabled?: boolean;
    readonly keepsGrant?: boolean;
    readonly encryption?: object | null;
    readonly dataKey?: WrappedKey | null;
    readonly keyArn?: string | null;
  };
}

export interface WrappedKey {
  readonly keyArn: string;
  readonly encryptedDataKey: string;
  readonly encryptionContext: Record<string, string>;
  readonly dataKeyId: string;
}

export interface AttachmentStory {
  phase: 'attaching' | 'attached' | 'detaching';
  suspended: boolean;
  grantId: string | null;
  readonly device: string;
}

/** What a volume's events tell, by rules of their own: the program's folds are not asked. */
export interface VolumeStory {
  readonly id: string;
  status: 'creating' | 'there' | 'deleting' | 'gone';
  readonly isShared: boolean;
  readonly isEncrypted: boolean;
  readonly keepsGrant: boolean;
  dataKey: WrappedKey | null;
  /** Of EBS itself. */
  serviceGrantId: string | null;
  readonly attachments: Map<string, AttachmentStory>;
  /** What should never have happened. */
  readonly faults: string[];
}

const begin = (id: string, { multiAttachEnabled, encryption, keepsGrant }: LoggedEvent['data']): VolumeStory => ({
  id,
  status: 'creating',
  isShared: multiAttachEnabled === true,
  isEncrypted: encryption !== null && encryption !== undefined,
  keepsGrant: keepsGrant === true,
  dataKey: null,
  serviceGrantId: null,
  attachments: new Map(),
  faults: [],
});

const tellAttachment = (story: VolumeStory, { type, data }: LoggedEvent): void => {
  const { id, attachments, faults, isEncrypted } = story;
  const { instanceId = '', device = '', grantId = null } = data;
  const attachment = attachments.get(instanceId);
  if (type === 'AttachmentStarted') {
    if (story.status !== 'there') faults.push(`${id} was attached while ${story.status}`);
    if (attachment !== undefined || (attachments.size > 0 && !story.isShared))
      faults.push(`${id} was attached to ${instanceId} beside ${[...attachments.keys()].join(', ')}`);
    attachments.set(instanceId, { phase: 'attaching', suspended: false, grantId: null, device });
    return;
  }
  if (attachment === undefined) return;
  if (type === 'AttachmentGrantCreated') attachment.grantId = grantId;
  if (type === 'AttachmentCompleted') {
    attachment.phase = 'attached';
    attachment.suspended = data.suspended === true;
  }
  if (type === 'AttachmentSuspended') Object.assign(attachment, { suspended: true, grantId: null });
  if (type === 'AttachmentResumed') attachment.suspended = false;
  const isOpen = attachment.phase === 'attached' && !attachment.suspended;
  if (isEncrypted && isOpen && attachment.grantId === null) faults.push(`${id} is open at ${instanceId} without grant`);
  if (type === 'DetachmentStarted') attachment.phase = 'detaching';
  if (type === 'VolumeDetached' || type === 'AttachmentFailed') attachments.delete(instanceId);
};

const tellVolume = (story: VolumeStory, event: LoggedEvent): void => {
  switch (event.type) {
    case 'VolumeDataKeyObtained':
      if (story.dataKey !== null) story.faults.push(`${story.id} was given another data key`);
      story.dataKey = event.data.dataKey ?? null;
      return;
    case 'VolumeGrantCreated':
      story.serviceGrantId = event.data.grantId ?? null;
      return;
    case 'VolumeGrantRetired':
      story.serviceGrantId = null;
      return;
    case 'VolumeProvisioned':
      story.status = 'there';
      if (!story.keepsGrant) story.serviceGrantId = null;
      return;
    case 'VolumeDeletionStarted':
      if (story.attachments.size > 0) story.faults.push(`${story.id} was deleted while attached`);
      story.status = 'deleting';
      return;
    case 'VolumeCreationFailed':
    case 'VolumeDeleted':
      Object.assign(story, { status: 'gone', serviceGrantId: null });
      return;
    default:
      tellAttachment(story, event);
  }
};

/** @param events of all services, each service's in the order of its log. */
export const volumeStories = (events: readonly LoggedEvent[]): VolumeStory[] => {
  const stories = new Map<string, VolumeStory>();
  for (const event of events) {
    const id = /^volume-(vol-.*)/.exec(event.streamId)?.[1];
    if (id === undefined) continue;
    if (event.type === 'VolumeCreated') stories.set(id, begin(id, event.data));
    const story = stories.get(id);
    if (story !== undefined) tellVolume(story, event);
  }
  return [...stories.values()];
};

export interface SnapshotStory {
  readonly id: string;
  status: 'pending' | 'completed' | 'error' | 'deleting' | 'gone';
  /** Amazon's own have none. */
  readonly hasFiles: boolean;
  dataKey: WrappedKey | null;
}

const SNAPSHOT_STATUS: Readonly<Record<string, SnapshotStory['status']>> = {
  SnapshotCompleted: 'completed',
  SnapshotFailed: 'error',
  SnapshotDeletionStarted: 'deleting',
  SnapshotDeleted: 'gone',
};

/** @param events of all services, each service's in the order of its log. */
export const snapshotStories = (events: readonly LoggedEvent[]): SnapshotStory[] => {
  const stories = new Map<string, SnapshotStory>();
  for (const { streamId, type, data } of events) {
    const id = /^snapshot-(snap-.*)/.exec(streamId)?.[1];
    if (id === undefined) continue;
    const story = stories.get(id);
    if (story === undefined) {
      const isAmazons = type === 'AmazonSnapshotProvided';
      const status = isAmazons ? 'completed' : 'pending';
      stories.set(id, { id, status, hasFiles: !isAmazons, dataKey: data.dataKey ?? null });
      continue;
    }
    if (type === 'CopyDataKeyObtained') story.dataKey = data.dataKey ?? null;
    story.status = SNAPSHOT_STATUS[type] ?? story.status;
  }
  return [...stories.values()];
};
