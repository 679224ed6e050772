import { accountId, imageId, type Instant, region, snapshotId } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, it } from 'vitest';
import { imageDecider } from './image.decider.ts';
import type { ImageEvent } from './image.events.ts';

const given = specification(imageDecider);
const id = imageId('ami-0123456789abcdef0');
const ada = accountId('111122223333');
const bob = accountId('444455556666');
const at = (day: number, time = '00:00:00') => `2026-01-${String(day).padStart(2, '0')}T${time}.000Z` as Instant;
const basics = {
  ...{
    imageId: id,
    ownerId: ada,
    region: region('eu-central-1'),
    name: 'web',
    description: '',
    architecture: 'x86_64',
  },
  ...{ virtualizationType: 'hvm', rootDeviceName: '/dev/xvda', tags: {}, at: at(1) },
  devices: [{ deviceName: '/dev/xvda', deleteOnTermination: true, snapshotId: snapshotId('snap-0123456789abcdef0') }],
};
const registered: ImageEvent = { type: 'ImageRegistered', ...basics };
const published: ImageEvent = { type: 'ImageShared', imageId: id, accounts: [bob], public: true, at: at(1) };
const of = <Type extends string>(type: Type, day = 2) => ({ type, imageId: id, at: at(day) });
const disabled: ImageEvent = of('ImageDisabled');
const deregister = (day: number, retentionDays?: number) => ({ ...of('DeregisterImage', day), retentionDays });
const deregistered = (day: number): ImageEvent => of('ImageDeregistered', day);

describe('the deprecation of an image', () => {
  const deprecate = (deprecateAt: string, now = at(2)) =>
    ({ type: 'SetDeprecation', imageId: id, deprecateAt: deprecateAt as Instant, at: now }) as const;
  const set = (deprecateAt: string): ImageEvent => ({ ...of('ImageDeprecationSet'), deprecateAt: deprecateAt as Instant }); // prettier-ignore

  it('is at the nearest minute', () => {
    given(registered).when(deprecate(at(5, '10:00:29'))).then(set(at(5, '10:00:00'))); // prettier-ignore
    given(registered).when(deprecate(at(5, '10:00:30'))).then(set(at(5, '10:01:00'))); // prettier-ignore
    given(registered, set(at(5, '10:00:00'))).when(deprecate(at(5, '10:00:12'))).thenNothing(); // prettier-ignore
  });

  it('may be at once, and not in the past', () => {
    const now = at(2, '10:00:20');
    given(registered).when(deprecate(now, now)).then({ ...set(at(2, '10:00:00')), at: now } as ImageEvent); // prettier-ignore
    given(registered).when(deprecate(at(2, '09:59:00'), now)).thenRefuses('DeprecationInPast'); // prettier-ignore
  });

  it('is in ten years at the latest, and of a public image two years after its creation', () => {
    given(registered).when(deprecate('2036-01-02T00:00:00.000Z')).then(set('2036-01-02T00:00:00.000Z')); // prettier-ignore
    given(registered).when(deprecate('2036-01-02T00:01:00.000Z')).thenRefuses('DeprecationTooLate'); // prettier-ignore
    given(registered, published).when(deprecate('2028-01-01T00:00:00.000Z')).then(set('2028-01-01T00:00:00.000Z')); // prettier-ignore
    given(registered, published).when(deprecate('2028-01-01T00:01:00.000Z')).thenRefuses('DeprecationTooLate'); // prettier-ignore
  });

  it('is cancelled, but for a public image', () => {
    const cancel = of('CancelDeprecation');
    given(registered, set(at(5))).when(cancel).then(of('ImageDeprecationCancelled')); // prettier-ignore
    given(registered).when(cancel).thenNothing();
    given(registered, published, set(at(5))).when(cancel).thenRefuses('DeprecationOfPublicImage'); // prettier-ignore
  });
});

describe('a disabled image', () => {
  const share = { ...of('ShareImage'), accounts: [bob], public: false, keyManagedByAws: false, publicSharingBlocked: false }; // prettier-ignore

  it('is disabled and enabled as far as it is a change, once it is made', () => {
    given(registered).when(of('DisableImage')).then(disabled);
    given(registered, disabled).when(of('DisableImage')).thenNothing();
    given(registered, disabled).when(of('EnableImage')).then(of('ImageEnabled')); // prettier-ignore
    given(registered).when(of('EnableImage')).thenNothing();
    const copying: ImageEvent = {
      ...{ type: 'ImageCopyStarted', ...basics, snapshots: [], snapshotTags: {} },
      source: { imageId: id, region: region('us-east-1') },
    };
    given(copying).when(of('DisableImage')).thenRefuses('ImageNotAvailable');
  });

  it('has lost those that it was shared with, and is shared with nobody', () => {
    given(registered, disabled).when(share).thenRefuses('ImageIsDisabled');
    given(registered, published, disabled, of('ImageEnabled')).when(share).then({ type: 'ImageShared', imageId: id, accounts: [bob], public: false, at: at(2) }); // prettier-ignore
    given(registered, published, disabled, of('ImageEnabled')).when(of('ResetLaunchPermission')).thenNothing(); // prettier-ignore
  });
});

describe('a protected image', () => {
  const isProtected = (withCooldown: boolean): ImageEvent => ({ ...of('ImageProtected'), withCooldown });
  const protect = (withCooldown: boolean) => ({ ...of('ProtectImage'), withCooldown });
  const unprotected = (protectedUntil: Instant | null): ImageEvent => ({ ...of('ImageUnprotected'), protectedUntil });

  it('is not deregistered', () => {
    given(registered).when(protect(false)).then(isProtected(false));
    given(registered, isProtected(false)).when(protect(false)).thenNothing();
    given(registered, isProtected(false)).when(protect(true)).then(isProtected(true));
    given(registered, isProtected(false)).when(deregister(2)).thenRefuses('ImageProtected');
    given(registered, isProtected(false)).when(of('UnprotectImage')).then(unprotected(null));
    given(registered, isProtected(false), unprotected(null)).when(deregister(2)).then(deregistered(2));
    given(registered).when(of('UnprotectImage')).thenNothing();
  });

  it('with a cooldown is not for a day after that either', () => {
    given(registered, isProtected(true))
      .when(of('UnprotectImage'))
      .then(unprotected(at(3)));
    given(registered, isProtected(true), unprotected(at(3)))
      .when(deregister(2))
      .thenRefuses('ImageInCooldown');
    given(registered, isProtected(true), unprotected(at(3)))
      .when(deregister(3))
      .then(deregistered(3));
  });
});

describe('an image in the Recycle Bin', () => {
  const recycled: ImageEvent = { ...of('ImageRecycled'), exitsAt: at(9) };
  const returned = of('ImageRestoredFromBin', 8);

  it('is put there by a rule, and not what failed', () => {
    given(registered).when(deregister(2, 7)).then(recycled);
    const failed: ImageEvent = { ...of('ImageFailed'), message: '', cause: '' };
    given(registered, failed).when(deregister(2, 7)).then(deregistered(2));
  });

  it('is of no use, but for its owner’s tags', () => {
    given(registered, recycled).when(deregister(3)).thenRefuses('ImageNotFound');
    given(registered, recycled).when(of('DisableImage')).thenRefuses('ImageNotFound');
    const tag = (account: typeof ada) => ({ ...of('TagImage'), accountId: account, tags: { a: '1' } });
    given(registered, published, recycled).when(tag(ada)).then({ ...tag(ada), type: 'ImageTagged' }); // prettier-ignore
    given(registered, published, recycled).when(tag(bob)).thenRefuses('ImageNotFound');
  });

  it('is given back as it was, or leaves when its time is over', () => {
    given(registered, recycled).when(of('RestoreFromBin', 8)).then(returned);
    given(registered, published, recycled, returned).when({ ...of('UnshareImage'), accounts: [bob], public: true }).then({ ...of('ImageUnshared'), accounts: [bob], public: true }); // prettier-ignore
    given(registered, disabled, recycled, returned).when(of('EnableImage')).then(of('ImageEnabled')); // prettier-ignore
    given(registered, recycled).when(of('RestoreFromBin', 9)).thenRefuses('ImageNotInBin');
    given(registered).when(of('RestoreFromBin')).thenRefuses('ImageNotInBin');
    given(registered, recycled).when(of('LeaveBin', 8)).thenNothing();
    given(registered, recycled).when(of('LeaveBin', 9)).then(deregistered(9));
    given(registered, recycled, returned).when(of('LeaveBin', 9)).thenNothing();
  });
});
