/** One permission on a KMS key that a caller of EC2 or EBS needs, because the call to KMS is made with it. */
export interface KmsStep {
  /** `source`: the key of the snapshot that something is made from. `key`: that of what is made, attached, read or written. */
  readonly on: 'source' | 'key';
  /** IAM's action, without `kms:`. */
  readonly action: string;
}

/** What one operation does at KMS on its caller's behalf, in order. */
export interface KmsUse {
  readonly service: 'ec2' | 'ebs';
  readonly operations: readonly string[];
  /** In which case; empty: in each. */
  readonly when: string;
  readonly steps: readonly KmsStep[];
}

const on =
  (which: KmsStep['on']) =>
  (...actions: string[]): KmsStep[] =>
    actions.map((action) => ({ on: which, action }));
const key = on('key');
const source = on('source');

const ec2 = (operations: readonly string[], when: string, ...steps: KmsStep[][]): KmsUse => ({
  service: 'ec2',
  operations,
  when,
  steps: steps.flat(),
});
const ebs = (operations: readonly string[], when: string, ...steps: KmsStep[][]): KmsUse => ({
  ...ec2(operations, when, ...steps),
  service: 'ebs',
});

const RESTORE = ['ReEncryptTo', 'GenerateDataKeyWithoutPlaintext', 'CreateGrant'];
const NEW = ['GenerateDataKeyWithoutPlaintext', 'CreateGrant'];

/**
 * Which permissions on keys a caller needs: the calls that are made to KMS with the caller's own. What EBS and an instance's
 * host do under their grants (Decrypt, RetireGrant) needs none. Only encrypted volumes and snapshots need any.
 * @see EBS user guide, Amazon EBS encryption; FACTS 06 §2 and §3
 */
export const KMS_USES: readonly KmsUse[] = [
  ec2(['CreateVolume'], 'empty, or from an unencrypted snapshot', key(...NEW)),
  ec2(['CreateVolume'], "from one's own snapshot, under its key", source('ReEncryptFrom'), key('ReEncryptTo')),
  ec2(['CreateVolume'], 'from a snapshot under another key, or of another account', source('ReEncryptFrom'), key(...RESTORE)), // prettier-ignore
  ec2(['AttachVolume'], 'to a running or a stopped instance', key('CreateGrant')),
  ec2(['StartInstances'], 'with attached volumes', key('CreateGrant')),
  ec2(['RunInstances'], 'as CreateVolume for each of its volumes, and', key('CreateGrant')),
  ec2(['CopySnapshot'], 'of an unencrypted snapshot', key('DescribeKey', ...NEW)),
  ec2(['CopySnapshot', 'CopyImage'], 'of an encrypted snapshot', key('DescribeKey', ...NEW), source('CreateGrant')),
  ec2(['CopySnapshot', 'CopyImage'], 'of a later snapshot of a volume that the last copy under the key is of', key('DescribeKey', 'CreateGrant'), source('CreateGrant')), // prettier-ignore
  ec2(['ModifyEbsDefaultKmsKeyId'], '', key('DescribeKey')),
  ec2(['CreateSnapshot', 'CreateSnapshots', 'DeleteSnapshot', 'DeleteVolume', 'DetachVolume', 'ModifyVolume'], '', []),
  ec2(['ModifySnapshotAttribute', 'StopInstances', 'TerminateInstances', 'CreateImage', 'RegisterImage'], '', []),
  ebs(['StartSnapshot'], 'without a parent', key('GenerateDataKey', 'Decrypt')),
  ebs(['StartSnapshot'], 'with an encrypted parent, whose key is taken', source('ReEncryptFrom'), key('ReEncryptTo', 'Decrypt')), // prettier-ignore
  ebs(['PutSnapshotBlock'], '', key('Decrypt')),
  ebs(['GetSnapshotBlock'], '', key('DescribeKey', 'Decrypt')),
  ebs(['ListSnapshotBlocks', 'ListChangedBlocks'], "of one's own snapshot", key('DescribeKey')),
  ebs(['ListSnapshotBlocks', 'ListChangedBlocks'], "of another account's snapshot", key('DescribeKey', 'Decrypt')),
  ebs(['CompleteSnapshot'], '', []),
];

/** @throws RangeError when the table has no such row. */
export const kmsStepsOf = (operation: string, when: string): readonly KmsStep[] => {
  const use = KMS_USES.find((row) => row.operations.includes(operation) && row.when === when);
  if (use === undefined) throw new RangeError(`no row for ${operation} ${when}`);
  return use.steps;
};
