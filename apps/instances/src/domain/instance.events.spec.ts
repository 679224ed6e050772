import { fold } from '@holdfast/decider';
import { expect, it } from 'vitest';
import { instanceDecider } from './instance.decider.ts';
import samples from './instance.events.v1.json' with { type: 'json' };
import type { InstanceEvent } from './instance.events.ts';

/** A name that is missing here, or one too many, does not compile. */
const types: Readonly<Record<InstanceEvent['type'], true>> = {
  InstanceLaunchFailed: true,
  InstanceLaunched: true,
  InstanceProfileAssociated: true,
  InstanceProfileDisassociated: true,
  InstanceSettingsChanged: true,
  InstanceStartFailed: true,
  InstanceStartRequested: true,
  InstanceStarted: true,
  InstanceStopStarted: true,
  InstanceStopped: true,
  InstanceTagged: true,
  InstanceTerminated: true,
  InstanceTerminationStarted: true,
  InstanceTypeChanged: true,
  InstanceUntagged: true,
  LaunchVolumeCreated: true,
  TerminationProtectionChanged: true,
};

it('has a stored sample of each event, kept for ever', () => {
  expect(samples.map(({ type }) => type).sort()).toEqual(Object.keys(types).sort());
});

it('understands its samples as they were stored', () => {
  const states = samples.map((_, i) =>
    fold(instanceDecider, samples.slice(0, i + 1) as unknown as InstanceEvent[], instanceDecider.initialState),
  );
  expect(states.map(({ status }) => status)).toEqual([
    'pending', 'pending', 'running', 'running', 'running', 'running', 'stopping', 'stopped', 'stopped', 'stopped',
    'pending', 'stopped', 'shutting-down', 'shutting-down', 'shutting-down', 'shutting-down', 'terminated',
  ]); // prettier-ignore
  expect(states[1]).toMatchObject({ hasRun: false, launchVolumes: { '/dev/xvda': 'vol-0123456789abcdef0' } });
  expect(states[9]).toMatchObject({ instanceType: 'm5.large', settings: { userData: 'aGk=', disableApiStop: true } });
  expect([13, 14].map((i) => states[i]?.associationId)).toEqual(['iip-assoc-0123456789abcdef0', null]);
  expect(states[5]).toMatchObject({ hasRun: true, disableApiTermination: true, tags: { b: '2' } });
});
