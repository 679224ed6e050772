import { accountId, imageId, instanceId, instant, region } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, it } from 'vitest';
import { instanceDecider } from './instance.decider.ts';
import type { InstanceEvent } from './instance.events.ts';

const given = specification(instanceDecider);
const at = instant(new Date('2026-01-31T12:00:00Z'));
const id = instanceId('i-0123456789abcdef0');
const launch = {
  instanceId: id,
  reservationId: 'r-0123456789abcdef0',
  launchIndex: 0,
  accountId: accountId('111122223333'),
  region: region('eu-central-1'),
  imageId: imageId('ami-0123456789abcdef0'),
  instanceType: 't3.micro',
  availabilityZone: 'eu-central-1a',
  privateIpAddress: '172.31.0.10',
  hostId: 'local',
  tags: { Name: 'web' },
  at,
};
const launched: InstanceEvent = { type: 'InstanceLaunched', ...launch };
const started: InstanceEvent = { type: 'InstanceStarted', instanceId: id, at };
const terminating: InstanceEvent = { type: 'InstanceTerminationStarted', instanceId: id, at };
const terminated: InstanceEvent = { type: 'InstanceTerminated', instanceId: id, at };

describe('an instance', () => {
  it('is launched once', () => {
    given()
      .when({ type: 'LaunchInstance', ...launch })
      .then(launched);
    given(launched)
      .when({ type: 'LaunchInstance', ...launch })
      .thenRefuses('InstanceAlreadyExists');
  });
  it('starts once, however often it is told to', () => {
    given(launched).when({ type: 'CompleteStart', instanceId: id, at }).then(started);
    given(launched, started).when({ type: 'CompleteStart', instanceId: id, at }).thenNothing();
  });
  it('is not started once it is being terminated', () => {
    given(launched, terminating).when({ type: 'CompleteStart', instanceId: id, at }).thenNothing();
  });
  it('is terminated from pending and from running', () => {
    given(launched).when({ type: 'TerminateInstance', instanceId: id, at }).then(terminating);
    given(launched, started).when({ type: 'TerminateInstance', instanceId: id, at }).then(terminating);
  });
  it('may be terminated again without effect', () => {
    given(launched, terminating).when({ type: 'TerminateInstance', instanceId: id, at }).thenNothing();
    given(launched, terminating, terminated).when({ type: 'TerminateInstance', instanceId: id, at }).thenNothing();
  });
  it('completes only a termination that has begun', () => {
    given(launched, terminating).when({ type: 'CompleteTermination', instanceId: id, at }).then(terminated);
    given(launched).when({ type: 'CompleteTermination', instanceId: id, at }).thenNothing();
  });
  it('must exist', () => {
    given().when({ type: 'TerminateInstance', instanceId: id, at }).thenRefuses('InstanceNotFound');
  });
});

describe('the tags of an instance', () => {
  const tag = (tags: Record<string, string>) => ({ type: 'TagInstance', instanceId: id, tags, at }) as const;
  it('are added and overwritten', () => {
    given(launched)
      .when(tag({ Name: 'db' }))
      .then({ type: 'InstanceTagged', instanceId: id, tags: { Name: 'db' }, at });
  });
  it('do not change when they are what they were', () => {
    given(launched)
      .when(tag({ Name: 'web' }))
      .thenNothing();
  });
  it('are at most 50', () => {
    const fifty = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${String(i)}`, 'v']));
    given(launched).when(tag(fifty)).thenRefuses('TooManyTags');
  });
  it('are removed by key', () => {
    given(launched)
      .when({ type: 'UntagInstance', instanceId: id, keys: ['Name', 'absent'], at })
      .then({ type: 'InstanceUntagged', instanceId: id, keys: ['Name'], at });
  });
});

describe('stopping and starting', () => {
  const withRoot: InstanceEvent = { ...launched, rootDeviceName: '/dev/xvda' };
  const stopping: InstanceEvent = { type: 'InstanceStopStarted', instanceId: id, at };
  const stopped: InstanceEvent = { type: 'InstanceStopped', instanceId: id, at };
  const starting: InstanceEvent = { type: 'InstanceStartRequested', instanceId: id, at };
  const stop = { type: 'StopInstance', instanceId: id, at } as const;
  const start = { type: 'StartInstance', instanceId: id, at } as const;
  const fail = { type: 'FailStart', instanceId: id, cause: 'k is disabled.', at } as const;
  const reason = {
    code: 'Client.InvalidKMSKey.InvalidState',
    message: 'Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state',
  };

  it('go from running to stopped and back', () => {
    given(withRoot, started).when(stop).then(stopping);
    given(withRoot, started, stopping).when(stop).thenNothing();
    given(withRoot, started, stopping).when({ type: 'CompleteStop', instanceId: id, at }).then(stopped);
    given(withRoot, started, stopping, stopped).when(start).then(starting);
    given(withRoot, started, stopping, stopped, starting)
      .when({ type: 'CompleteStart', instanceId: id, at })
      .then(started);
    given(withRoot, started).when(start).thenNothing();
  });

  it('are refused in other states, and without a root volume', () => {
    given(withRoot).when(stop).thenRefuses('InstanceNotStoppable');
    given(launched, started).when(stop).thenRefuses('InstanceWithoutRootVolume');
    given(withRoot, started, stopping).when(start).thenRefuses('InstanceNotStartable');
    given(withRoot, started, terminating, terminated).when(start).thenRefuses('InstanceNotStartable');
  });

  it('a start that fails leaves it stopped, a launch that fails ends it', () => {
    const { cause } = fail;
    given(withRoot, started, stopping, stopped, starting)
      .when(fail)
      .then({ type: 'InstanceStartFailed', instanceId: id, reason, cause, at });
    given(withRoot).when(fail).then({ type: 'InstanceLaunchFailed', instanceId: id, reason, cause, at });
    given(withRoot, started).when(fail).thenNothing();
  });

  it('is not stopped while it is protected', () => {
    given({ ...withRoot, settings: { disableApiStop: true } }, started)
      .when(stop)
      .thenRefuses('StopProtected');
  });

  it('changes its type, and what its guest boots with, only while it is stopped', () => {
    const retype = { type: 'ChangeType', instanceId: id, instanceType: 'm5.large', at } as const;
    const retyped: InstanceEvent = { type: 'InstanceTypeChanged', instanceId: id, instanceType: 'm5.large', at };
    given(withRoot, started).when(retype).thenRefuses('InstanceNotStopped');
    given(withRoot, started, stopping, stopped).when(retype).then(retyped);
    given(withRoot, started, stopping, stopped, retyped).when(retype).thenNothing();
    const settings = { userData: 'aGk=' };
    const change = { type: 'ChangeSettings', instanceId: id, settings, at } as const;
    const changed: InstanceEvent = { type: 'InstanceSettingsChanged', instanceId: id, settings, at };
    given(withRoot, started).when(change).thenRefuses('InstanceNotStopped');
    given(withRoot, started, stopping, stopped).when(change).then(changed);
    given(withRoot, started, stopping, stopped, changed).when(change).thenNothing();
  });

  it('changes other settings while it runs', () => {
    const settings = { disableApiStop: true };
    given(withRoot, started)
      .when({ type: 'ChangeSettings', instanceId: id, settings, at })
      .then({ type: 'InstanceSettingsChanged', instanceId: id, settings, at });
  });

  it('is not ended while it is protected', () => {
    const terminate = { type: 'TerminateInstance', instanceId: id, at } as const;
    given({ ...withRoot, disableApiTermination: true }, started)
      .when(terminate)
      .thenRefuses('TerminationProtected');
  });
});

describe('the profile of an instance', () => {
  const profile = (n: number) => ({
    ...{ associationId: `iip-assoc-${String(n).padStart(17, '0')}`, id: 'AIPA' },
    arn: 'arn:aws:iam::111122223333:instance-profile/web',
  });
  const associated = (n: number): InstanceEvent => ({
    ...{ type: 'InstanceProfileAssociated', instanceId: id, instanceProfile: profile(n), at },
  });
  const associate = (n: number, replaces: string | null) =>
    ({ type: 'AssociateProfile', instanceId: id, instanceProfile: profile(n), replaces, at }) as const;
  const disassociate = (n: number) =>
    ({ type: 'DisassociateProfile', instanceId: id, associationId: profile(n).associationId, at }) as const;
  const disassociated = (n: number): InstanceEvent => ({ ...disassociate(n), type: 'InstanceProfileDisassociated' });
  const withProfile: InstanceEvent = { ...launched, instanceProfile: profile(1) } as InstanceEvent;

  it('comes with the launch, or later, and is one', () => {
    given(launched, started).when(associate(1, null)).then(associated(1));
    given(withProfile, started).when(associate(2, null)).thenRefuses('ProfileAlreadyAssociated');
    given(launched, started, associated(1)).when(associate(2, null)).thenRefuses('ProfileAlreadyAssociated');
  });

  it('is replaced by whoever knows which it is', () => {
    given(withProfile, started)
      .when(associate(2, profile(1).associationId))
      .then(associated(2));
    given(withProfile, started, associated(2))
      .when(associate(3, profile(1).associationId))
      .thenRefuses('ProfileNotAssociated');
  });

  it('is taken away once', () => {
    given(withProfile, started).when(disassociate(1)).then(disassociated(1));
    given(withProfile, started, disassociated(1)).when(disassociate(1)).thenRefuses('ProfileNotAssociated');
    given(withProfile, started, disassociated(1)).when(associate(2, null)).then(associated(2));
  });

  it('stays as it is once the instance is ending', () => {
    given(withProfile, terminating).when(disassociate(1)).thenRefuses('InstanceEnding');
    given(launched, terminating).when(associate(1, null)).thenRefuses('InstanceEnding');
  });
});
