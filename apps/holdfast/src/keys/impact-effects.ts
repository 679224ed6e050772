import type { AttachmentFact, DefaultFact, KeyFacts, SnapshotFact, VolumeFact } from './key-facts.ts';

export type KeyChange = 'disable' | 'delete';

/** What becomes of one thing that depends on a key. */
export interface Effect {
  readonly kind: 'volume' | 'snapshot' | 'image' | 'account' | 'grants' | 'aliases' | 'key' | 'ciphertexts';
  readonly id: string;
  /** Whose it is. */
  readonly accountId: string;
  readonly effect: string;
}

/** `1 grant`, `2 grants`. */
export const counted = (count: number, noun: string): string => `${String(count)} ${noun}${count === 1 ? '' : 's'}`;

type Kind<Of extends Effect['kind']> = (
  id: string,
  accountId: string,
  effect: string,
) => Effect & { readonly kind: Of };
const effectOn =
  <Of extends Effect['kind']>(kind: Of): Kind<Of> =>
  (id, accountId, effect) => ({ kind, id, accountId, effect });

const onVolume = effectOn('volume');
const onSnapshot = effectOn('snapshot');
const place = ({ instanceId, device }: AttachmentFact): string => `${instanceId} as ${device}`;
const places = (attachments: readonly AttachmentFact[]): string => attachments.map(place).join(', ');
const isOpen = ({ state, suspended }: AttachmentFact): boolean => state === 'attached' && !suspended;

/** The host of an open device holds the data key in its memory and asks nobody until it has to open the device again. */
export const goesOn = ({ volumes, snapshots }: KeyFacts): Effect[] => [
  ...volumes.flatMap(({ volumeId, accountId, attachments }) => {
    const open = attachments.filter(isOpen);
    return open.length > 0
      ? [
          onVolume(
            volumeId,
            accountId,
            `attached to ${places(open)}: goes on until it is detached, the instance stops or its host starts again, and ` +
              'cannot be attached after that. Snapshots can be made of it, and not be used.',
          ),
        ]
      : [];
  }),
  ...snapshots
    .filter(({ state, isCopy }) => state === 'pending' && !isCopy)
    .map(({ snapshotId, ownerId }) => onSnapshot(snapshotId, ownerId, 'is completed, which needs no key')),
];

const volumeUnderWay = ({ volumeId, accountId, state, attachments }: VolumeFact): Effect[] => {
  if (state === 'creating')
    return [onVolume(volumeId, accountId, 'is being created: vanishes unless it is done before')];
  const attaching = attachments.filter((attachment) => attachment.state === 'attaching');
  if (attaching.length === 0) return [];
  return [onVolume(volumeId, accountId, `is being attached to ${places(attaching)}: fails unless it is done before`)];
};

/** What is being made or opened at this moment. */
export const underWay = ({ volumes, snapshots, underWay: others }: KeyFacts): Effect[] => [
  ...volumes.flatMap(volumeUnderWay),
  ...snapshots
    .filter(({ state, isCopy }) => state === 'pending' && isCopy)
    .map(({ snapshotId, ownerId }) =>
      onSnapshot(snapshotId, ownerId, 'is being copied: ends in error unless it is done before'),
    ),
  ...others.map(({ kind, id, accountId, fromSnapshotId }) =>
    effectOn(kind)(
      id,
      accountId,
      `is being made from ${fromSnapshotId} under another key: fails unless it is done before`,
    ),
  ),
];

const volumeFails = ({ volumeId, accountId, state, attachments }: VolumeFact): Effect[] => {
  const stopped = attachments.filter(({ suspended }) => suspended).map(({ instanceId }) => instanceId);
  if (stopped.length > 0) {
    const what = stopped.length === 1 ? 'it stays stopped' : 'they stay stopped';
    return [onVolume(volumeId, accountId, `StartInstances of ${stopped.join(', ')}, which it is attached to: ${what}`)];
  }
  const isClosed = state === 'available' || attachments.some((attachment) => attachment.state === 'detaching');
  return isClosed ? [onVolume(volumeId, accountId, 'AttachVolume: CustomerKeyHasBeenRevoked')] : [];
};

const sharers = ({ sharedWith, isPublic }: SnapshotFact): string => {
  if (isPublic) return ', for every account, since it is public';
  return sharedWith.length === 0 ? '' : `, also for ${sharedWith.join(', ')}, with whom it is shared`;
};

const defaultFails = ({ accountId, region, encryptionByDefault }: DefaultFact): Effect =>
  effectOn('account')(
    accountId,
    accountId,
    `in ${region}, where it is the default key for EBS: CreateVolume, CopySnapshot and RunInstances that name no key ` +
      (encryptionByDefault ? '(encryption by default is on)' : 'and ask for encryption'),
  );

const OPERATIONS: Readonly<Record<string, string>> = {
  ENCRYPT_DECRYPT: 'Encrypt, Decrypt, ReEncrypt and GenerateDataKey…',
  SIGN_VERIFY: 'Sign and Verify',
  GENERATE_VERIFY_MAC: 'GenerateMac and VerifyMac',
  KEY_AGREEMENT: 'DeriveSharedSecret',
};

const keyFails = ({ key, aliases, grants }: KeyFacts, change: KeyChange): Effect[] => {
  const { accountId, arn, keyUsage } = key;
  const error =
    change === 'disable' ? 'DisabledException' : 'KMSInvalidStateException, and NotFoundException in the end';
  const effects: Effect[] = [effectOn('key')(arn, accountId, `${OPERATIONS[keyUsage] ?? 'every use'}: ${error}`)];
  if (aliases.length > 0) {
    const effect = change === 'disable' ? 'of no use until the key is enabled' : 'deleted with the key';
    effects.push(effectOn('aliases')(aliases.join(', '), accountId, effect));
  }
  if (grants.length > 0) {
    const effect = change === 'disable' ? 'of no use until the key is enabled' : 'gone with the key';
    effects.push(effectOn('grants')(counted(grants.length, 'grant'), accountId, effect));
  }
  return effects;
};

/** What is refused, or fails later, from then on. */
export const fails = (facts: KeyFacts, change: KeyChange): Effect[] => [
  ...facts.volumes.flatMap(volumeFails),
  ...facts.snapshots
    .filter(({ state }) => state !== 'error')
    .map((snapshot) =>
      onSnapshot(
        snapshot.snapshotId,
        snapshot.ownerId,
        `CreateVolume (the volume vanishes), CopySnapshot (refused, or the copy ends in error), EBS direct${sharers(snapshot)}`,
      ),
    ),
  ...facts.images.map(({ imageId, ownerId, snapshotIds }) =>
    effectOn('image')(
      imageId,
      ownerId,
      `RunInstances: instances end at once, since ${snapshotIds.join(', ')} cannot be read`,
    ),
  ),
  ...facts.defaults.map(defaultFails),
  ...keyFails(facts, change),
];

const WITHOUT_KEY: Readonly<Record<string, string>> = {
  ENCRYPT_DECRYPT: 'whatever was encrypted outside EBS, and under data keys made there, stays encrypted',
  SIGN_VERIFY: 'nothing can be signed, and signatures are verified only by those who kept the public key',
  GENERATE_VERIFY_MAC: 'no MAC can be verified',
  KEY_AGREEMENT: 'no shared secret can be derived',
};

const ciphertextsLost = ({ key, otherUses }: KeyFacts): Effect[] => {
  const { count, principals, lastAt } = otherUses;
  if (count === 0 || lastAt === null) return [];
  const whose = principals.length === 1 ? (principals[0] ?? '') : `${String(principals.length)} principals`;
  const effect = `${WITHOUT_KEY[key.keyUsage] ?? 'lost'}; by ${whose}, at ${lastAt} for the last time. Nobody keeps a list of these.`;
  return [effectOn('ciphertexts')(`${counted(count, 'use')} outside EBS`, key.accountId, effect)];
};

/** What cannot be had back by any means once the key is deleted. Copies under other keys are not among it. */
export const lost = (facts: KeyFacts): Effect[] => [
  ...facts.volumes
    .filter(({ state }) => state !== 'deleting' && state !== 'creating')
    .map(({ volumeId, accountId, sizeGiB, attachments }) => {
      const saving = attachments.some(isOpen) ? '; as long as it is attached its data can be copied elsewhere' : '';
      return onVolume(volumeId, accountId, `all ${String(sizeGiB)} GiB of it${saving}`);
    }),
  ...facts.snapshots
    .filter(({ state }) => state !== 'error')
    .map(({ snapshotId, ownerId, sizeGiB }) => onSnapshot(snapshotId, ownerId, `all ${String(sizeGiB)} GiB of it`)),
  ...facts.images.map(({ imageId, ownerId }) => effectOn('image')(imageId, ownerId, 'can never be launched again')),
  ...ciphertextsLost(facts),
];
