import { accountId, imageId, instanceId, instant, region, snapshotId, volumeId } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, it } from 'vitest';
import { imageDecider } from './image.decider.ts';
import type { ImageEvent } from './image.events.ts';

const given = specification(imageDecider);
const at = instant(new Date('2026-01-31T12:00:00Z'));
const id = imageId('ami-0123456789abcdef0');
const ada = accountId('111122223333');
const bob = accountId('444455556666');
const eve = accountId('777788889999');
const snapshot = snapshotId('snap-0123456789abcdef0');
const KEY = 'arn:aws:kms:eu-central-1:111122223333:key/k';

const basics = {
  imageId: id,
  ownerId: ada,
  region: region('eu-central-1'),
  name: 'web',
  description: 'a server',
  architecture: 'x86_64',
  virtualizationType: 'hvm',
  rootDeviceName: '/dev/xvda',
  devices: [{ deviceName: '/dev/xvda', deleteOnTermination: true, snapshotId: snapshot, sizeGiB: 8, encrypted: false }],
  tags: { a: '1' },
  at,
};
const encrypted = { ...basics, devices: basics.devices.map((device) => ({ ...device, encrypted: true, keyArn: KEY })) };
const instance = {
  instanceId: instanceId('i-0123456789abcdef0'),
  snapshots: [{ snapshotId: snapshot, volumeId: volumeId('vol-0123456789abcdef0') }],
  snapshotTags: {},
};
const copy = {
  source: { imageId: imageId('ami-00000000000000001'), region: region('us-east-1') },
  snapshots: [{ snapshotId: snapshot, sourceSnapshotId: snapshotId('snap-00000000000000001'), keyArn: KEY }],
  snapshotTags: { of: 'copy' },
};
const traits = { bootMode: undefined, tpmSupport: undefined, imdsSupport: undefined, sriovNetSupport: undefined, enaSupport: undefined }; // prettier-ignore
const registered: ImageEvent = { type: 'ImageRegistered', ...traits, ...basics };
const registeredEncrypted: ImageEvent = { type: 'ImageRegistered', ...traits, ...encrypted };
const creating: ImageEvent = { type: 'ImageCreationStarted', ...traits, ...basics, ...instance };
const copying: ImageEvent = { type: 'ImageCopyStarted', ...traits, ...encrypted, ...copy };
const completed: ImageEvent = { type: 'ImageCompleted', imageId: id, at };
const failed: ImageEvent = { type: 'ImageFailed', imageId: id, message: 'm', cause: 'c', at };
const deregistered: ImageEvent = { type: 'ImageDeregistered', imageId: id, at };
const amazons: ImageEvent = { type: 'AmazonImageProvided', ...traits, ...basics };
const complete = { type: 'CompleteImage', imageId: id, at } as const;
const fail = { type: 'FailImage', imageId: id, message: 'm', cause: 'c', at } as const;
const deregister = { type: 'DeregisterImage', imageId: id, at } as const;

describe('an image', () => {
  it('is registered, created from an instance, or copied, once', () => {
    given().when({ type: 'RegisterImage', ...basics }).then(registered); // prettier-ignore
    given().when({ type: 'CreateImage', ...basics, ...instance }).then(creating); // prettier-ignore
    given().when({ type: 'CopyImage', ...encrypted, ...copy }).then(copying); // prettier-ignore
    given(registered).when({ type: 'RegisterImage', ...basics }).thenRefuses('ImageAlreadyExists'); // prettier-ignore
    given(creating).when({ type: 'CreateImage', ...basics, ...instance }).thenRefuses('ImageAlreadyExists'); // prettier-ignore
  });
  it('is provided by Amazon at every start, once', () => {
    given().when({ type: 'ProvideAmazonImage', ...basics }).then(amazons); // prettier-ignore
    given(amazons).when({ type: 'ProvideAmazonImage', ...basics }).thenNothing(); // prettier-ignore
  });
  it.each([['a creation', creating], ['a copy', copying]])('ends as available or failed, once: %s', (_name, begun) => {
    given(begun).when(complete).then(completed);
    given(begun).when(fail).then(failed);
    given(begun, completed).when(complete).thenNothing();
    given(begun, completed).when(fail).thenNothing();
    given(begun, failed).when(complete).thenNothing();
  }); // prettier-ignore
  it('that was deregistered is not completed or failed any more', () => {
    given(creating, deregistered).when(complete).thenNothing();
    given(creating, deregistered).when(fail).thenNothing();
  });
  it('is deregistered once, whatever became of it', () => {
    for (const history of [[registered], [creating], [creating, failed], [copying, completed]])
      given(...history).when(deregister).then(deregistered); // prettier-ignore
    given(registered, deregistered).when(deregister).thenRefuses('ImageNotFound');
    given().when(deregister).thenRefuses('ImageNotFound');
  });
  it('has a description that changes', () => {
    const change = { type: 'ChangeDescription', imageId: id, description: 'new', at } as const;
    const changed: ImageEvent = { type: 'ImageDescriptionChanged', imageId: id, description: 'new', at };
    given(registered).when(change).then(changed);
    given(registered, changed).when(change).thenNothing();
    given(registered, deregistered).when(change).thenRefuses('ImageNotFound');
  });
});

describe('the launch permission', () => {
  const who = (accounts: (typeof bob)[], isPublic = false) => ({ imageId: id, accounts, public: isPublic, at });
  const share = (accounts: (typeof bob)[], isPublic = false, keyManagedByAws = false) =>
    ({ type: 'ShareImage', ...who(accounts, isPublic), keyManagedByAws, publicSharingBlocked: false }) as const;
  const shared = (accounts: (typeof bob)[], isPublic = false): ImageEvent => ({ type: 'ImageShared', ...who(accounts, isPublic) }); // prettier-ignore
  const unshared = (accounts: (typeof bob)[], isPublic = false): ImageEvent => ({ type: 'ImageUnshared', ...who(accounts, isPublic) }); // prettier-ignore
  const unshare = (accounts: (typeof bob)[], isPublic = false) => ({ type: 'UnshareImage', ...who(accounts, isPublic) }) as const; // prettier-ignore
  const reset = { type: 'ResetLaunchPermission', imageId: id, at } as const;

  it('is given to accounts and to all, as far as they have none', () => {
    given(registered).when(share([bob, bob])).then(shared([bob])); // prettier-ignore
    given(registered, shared([bob])).when(share([bob, eve], true)).then(shared([eve], true)); // prettier-ignore
    given(registered, shared([bob], true)).when(share([bob], true)).thenNothing(); // prettier-ignore
  });
  it('is taken back, as far as it was given', () => {
    given(registered, shared([bob, eve], true)).when(unshare([bob])).then(unshared([bob])); // prettier-ignore
    given(registered, shared([bob])).when(unshare([eve], true)).thenNothing(); // prettier-ignore
    given(registered, shared([bob, eve], true), unshared([bob])).when(reset).then(unshared([eve], true)); // prettier-ignore
    given(registered).when(reset).thenNothing();
  });
  it('of an encrypted image is never given to all', () => {
    given(registeredEncrypted).when(share([], true)).thenRefuses('EncryptedImageNotPublic'); // prettier-ignore
    given(copying, completed).when(share([bob], true)).thenRefuses('EncryptedImageNotPublic'); // prettier-ignore
  });
  it('is not given to all where the account blocks that', () => {
    given(registered).when({ ...share([bob], true), publicSharingBlocked: true }).thenRefuses('PublicSharingBlocked'); // prettier-ignore
    given(registered).when({ ...share([bob]), publicSharingBlocked: true }).then(shared([bob])); // prettier-ignore
  });
  it('of an image under a key of AWS’s own is given to nobody', () => {
    given(registeredEncrypted).when(share([bob], false, true)).thenRefuses('DefaultKeyImageNotShareable'); // prettier-ignore
    given(registeredEncrypted).when(share([bob])).then(shared([bob])); // prettier-ignore
  });
});

describe('the tags of an image', () => {
  const tag = (account: typeof ada, tags: Record<string, string>) => ({ imageId: id, accountId: account, tags, at });
  it('are each account’s own', () => {
    given(registered).when({ type: 'TagImage', ...tag(ada, { a: '1' }) }).thenNothing(); // prettier-ignore
    given(registered).when({ type: 'TagImage', ...tag(bob, { a: '1' }) }).then({ type: 'ImageTagged', ...tag(bob, { a: '1' }) }); // prettier-ignore
  });
  it('are taken away', () => {
    const untag = { type: 'UntagImage', imageId: id, accountId: ada, at } as const;
    given(registered).when({ ...untag, removal: 'all' }).then({ type: 'ImageUntagged', imageId: id, accountId: ada, keys: ['a'], at }); // prettier-ignore
    given(registered).when({ ...untag, removal: [{ key: 'a', value: '2' }] }).thenNothing(); // prettier-ignore
  });
  it('are at most 50', () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${String(i)}`, '']));
    given(registered).when({ type: 'TagImage', ...tag(ada, many) }).thenRefuses('TagLimitExceeded'); // prettier-ignore
    given(registered).when({ type: 'TagImage', ...tag(bob, many) }).then({ type: 'ImageTagged', ...tag(bob, many) }); // prettier-ignore
  });
});
