import type { DataKeyUse, RequestContext, SnapshotId, SnapshotRecord, WrappedDataKey } from '@holdfast/contracts';
import { callerOf } from '@holdfast/contracts';
import { forwardedContext } from '@holdfast/ec2';
import { generateRecipient } from '@holdfast/sealing';
import { fromKms, invalidRequest, snapshotNotFound } from './ebs-direct-errors.ts';
import type { DirectParts } from './ebs-direct-ports.ts';
import { parseSnapshotId } from './ids.ts';

/** Parents of parents that are looked at; a chain that is longer is none that can be told. */
const MAX_LINEAGE = 10_000;

/** @throws AwsError SNAPSHOT_NOT_FOUND */
export const visibleSnapshot = async (
  text: string,
  { visible }: DirectParts,
  context: RequestContext,
): Promise<SnapshotRecord> => {
  const snapshotId = parseSnapshotId(text);
  const record = snapshotId === null ? null : await visible(snapshotId, context);
  if (record === null) throw snapshotNotFound(text);
  return record;
};

/** Shared with an account is not its own. @throws AwsError SNAPSHOT_NOT_FOUND */
export const ownedSnapshot = async (
  text: string,
  parts: DirectParts,
  context: RequestContext,
): Promise<SnapshotRecord> => {
  const record = await visibleSnapshot(text, parts, context);
  if (record.ownerId !== context.accountId) throw snapshotNotFound(text);
  return record;
};

/** A snapshot that the caller may read blocks of. @throws AwsError SNAPSHOT_NOT_FOUND | INVALID_SNAPSHOT_ID */
export const readableSnapshot = async (
  text: string,
  parts: DirectParts,
  context: RequestContext,
): Promise<SnapshotRecord> => {
  const record = await visibleSnapshot(text, parts, context);
  const { accountId } = context;
  if (record.ownerId !== accountId) {
    const { sharing } = await parts.snapshots.load(record.snapshotId);
    if (!sharing.accounts.includes(accountId))
      throw invalidRequest('INVALID_SNAPSHOT_ID', 'Public snapshots are not supported');
  }
  if (record.state !== 'completed')
    throw invalidRequest('INVALID_SNAPSHOT_ID', `Source snapshot (${text}) is not complete.`);
  if (record.archived === true) throw invalidRequest('INVALID_SNAPSHOT_ID', `The snapshot (${text}) is archived.`);
  return record;
};

/** What EBS asks before it lets somebody look at an encrypted snapshot. */
export const describeKey = async (
  { dataKey }: SnapshotRecord,
  { requests }: DirectParts,
  context: RequestContext,
): Promise<void> => {
  if (dataKey === null) return;
  const forwarded = forwardedContext(callerOf(context), context.deadlineMs);
  await requests.request('kms', 'DescribeKey', { KeyId: dataKey.keyArn }, forwarded).catch(fromKms);
};

/**
 * What EBS asks before it lists an encrypted snapshot's blocks: whether the caller may see the key, and of a snapshot that
 * another account shares, whether the caller may unwrap its data key. Nobody can read what that answers.
 * @see FACTS 07 §6
 */
export const mayList = async (snapshot: SnapshotRecord, parts: DirectParts, context: RequestContext): Promise<void> => {
  const { dataKey, ownerId } = snapshot;
  await describeKey(snapshot, parts, context);
  if (dataKey === null || ownerId === context.accountId) return;
  const { encryptedDataKey: CiphertextBlob, encryptionContext: EncryptionContext, keyArn: KeyId } = dataKey;
  const answered = await sealedToNobody(forwardedContext(callerOf(context), context.deadlineMs));
  await parts.requests.request('kms', 'Decrypt', { CiphertextBlob, EncryptionContext, KeyId }, answered).catch(fromKms);
};

/** For calls to KMS whose plaintext is not wanted: it is sealed to a key pair that nobody has any more. */
export const sealedToNobody = async (context: RequestContext): Promise<RequestContext> => {
  const nobody = await generateRecipient();
  nobody.destroy();
  return { ...context, recipientPublicKey: nobody.publicKeyBase64 };
};

/** A data key that the caller's own permissions unwrap. */
export const callersKeyUse = (dataKey: WrappedDataKey, context: RequestContext): DataKeyUse => {
  const { principal, accountId, region, requestId } = context;
  return { ...dataKey, principal, accountId, region, requestId };
};

/**
 * What two snapshots have in common if they are of one lineage: the volume that they are of, or the first of a chain of
 * parents. A copy begins a lineage with the other copies, in its Region and account, of the same.
 */
export const lineageOf = async (snapshotId: SnapshotId, { snapshots }: DirectParts): Promise<string> => {
  const copies: string[] = [];
  let at = snapshotId;
  for (let steps = 0; steps < MAX_LINEAGE; steps++) {
    const { started } = await snapshots.load(at);
    if (started === null) break;
    if (started.type === 'SnapshotCopyStarted') {
      copies.push(`copy/${started.ownerId}/${started.region}`);
      at = started.source.snapshotId;
    } else if (started.direct === undefined) {
      return [...copies, started.volumeId].join(' of ');
    } else if (started.direct.parentSnapshotId !== null) {
      at = started.direct.parentSnapshotId;
    } else break;
  }
  return [...copies, at].join(' of ');
};
