import { type Instant, instanceId } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { testContext } from '@holdfast/messaging/testing';
import { describe, expect, it } from 'vitest';
import type { InstanceRow } from './ports.ts';
import { StopAndStart } from './stop-and-start.ts';
import { TerminateInstances } from './terminate-instances.ts';

const id = instanceId('i-0123456789abcdef0');
const clock = { now: () => new Date(0), instant: () => new Date(0).toISOString() as Instant };

/** As the instance was looked at, before another request changed it. */
const seen = (state: InstanceRow['state']): InstanceRow => ({
  instanceId: id,
  reservationId: 'r-1',
  launchIndex: 0,
  accountId: '111122223333',
  region: 'eu-central-1',
  imageId: 'ami-0123456789abcdef0',
  architecture: 'x86_64',
  instanceType: 't3.micro',
  availabilityZone: 'eu-central-1a',
  privateIpAddress: '172.31.0.1',
  hostId: 'host-1',
  state,
  launchTime: '',
  terminationTime: null,
  rootDeviceName: '/dev/xvda',
  stateReason: null,
  transitionReason: '',
  disableApiTermination: false,
  settings: {},
  keyName: null,
  instanceProfile: null,
  clientToken: null,
  tags: {},
});

/** The instance is `state` when it is looked at, and something else when the command is decided. */
const overtaken = (state: InstanceRow['state'], code: string) => {
  const table = {
    find: () => Promise.resolve([seen(state)]),
    byId: () => Promise.resolve(seen(state)),
    count: () => Promise.resolve(1),
  };
  const streams = { handle: () => Promise.reject(new DomainError(code, {})), load: () => Promise.reject(new Error()) };
  return {
    requests: new StopAndStart(streams, table, clock),
    terminate: new TerminateInstances(streams, table, clock),
  };
};
const input = { InstanceIds: [id] };

describe('a transition that another request overtook', () => {
  it('is refused as if it had come later', async () => {
    const stopping = overtaken('running', 'InstanceNotStoppable').requests.stop(input, testContext());
    const text = `The instance '${id}' is not in a state from which it can be`;
    await expect(stopping).rejects.toMatchObject({ code: 'IncorrectInstanceState', message: `${text} stopped.` });
    const starting = overtaken('stopped', 'InstanceNotStartable').requests.start(input, testContext());
    await expect(starting).rejects.toMatchObject({ code: 'IncorrectInstanceState', message: `${text} started.` });
    const terminating = overtaken('running', 'TerminationProtected').terminate.run(input, testContext());
    await expect(terminating).rejects.toMatchObject({ code: 'OperationNotPermitted' });
  });

  it('is a failure where the reason is none of these', async () => {
    const starting = overtaken('stopped', 'InstanceNotFound').requests.start(input, testContext());
    await expect(starting).rejects.toBeInstanceOf(DomainError);
  });
});
