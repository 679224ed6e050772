export { AwsError, type AwsErrorShape } from './aws-error.ts';
export {
  accountId,
  type AccountId,
  type ImageId,
  imageId,
  type Instant,
  instant,
  type InstanceId,
  instanceId,
  type KeyArn,
  keyArn,
  newImageId,
  newInstanceId,
  newKeyPairId,
  newProfileAssociationId,
  newReservationId,
  newSnapshotId,
  newVolumeId,
  type Region,
  region,
  type SnapshotId,
  snapshotId,
  type VolumeId,
  volumeId,
} from './ids.ts';
export {
  type IdentityRequests,
  MAX_AUTHORIZATION_MESSAGE_BYTES,
  type PrincipalPolicies,
  type PrincipalPoliciesAnswer,
  type SourcedPolicy,
} from './identity-requests.ts';
export type { InternalRequests } from './internal-requests.ts';
export type {
  AttachmentRecord,
  BlockSource,
  BlockTransfer,
  DataKeyUse,
  DeviceFaults,
  HostAttachment,
  InstanceRecord,
  ListedBlock,
  SnapshotRecord,
  VolumePerformanceRecord,
  VolumeRecord,
  WrappedDataKey,
} from './records.ts';
export { REGIONS, type Zone, zonesOf } from './regions.ts';
export {
  type Caller,
  callerOf,
  ebsServicePrincipal,
  instancePrincipal,
  type Principal,
  principalSchema,
  type RequestContext,
  requestContextSchema,
} from './request-context.ts';
