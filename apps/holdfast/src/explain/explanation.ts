import type { DecisionRecord } from '@holdfast/iam';
import { UserError } from '../errors.ts';
import type { TimelineEvent } from '../timeline.ts';
import type { Sources } from './sources.ts';

/** What went wrong with a resource: the event that says so, in words. */
export interface Failure {
  readonly what: string;
  readonly cause: string;
  readonly event: TimelineEvent;
}

/** Why a request or a resource came out as it did, as data. */
export interface Explanation {
  readonly subject: string;
  /** In one sentence. */
  readonly summary: string;
  readonly failures: readonly Failure[];
  /** Of a resource, refusals only; of a request, all that were kept. Oldest first. */
  readonly decisions: readonly DecisionRecord[];
  /** The last changes, before the refusals, of the keys that were refused: their states and policies. */
  readonly keyChanges: readonly TimelineEvent[];
  readonly events: readonly TimelineEvent[];
}

interface Kind {
  readonly prefix: string;
  readonly service: string;
  readonly name: string;
  /** What an event of the resource means to it. */
  readonly failures: Readonly<Record<string, (data: Record<string, unknown>) => string>>;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const reasonOf = ({ reason }: Record<string, unknown>): string =>
  text((reason as { message?: unknown } | null)?.message);

const KINDS: readonly Kind[] = [
  {
    prefix: 'vol-',
    service: 'volumes',
    name: 'volume',
    failures: {
      VolumeCreationFailed: () => 'the volume could not be made, and vanished',
      AttachmentFailed: ({ instanceId }) => `attaching it to ${text(instanceId)} was refused`,
      ModificationFailed: () => 'its modification failed',
    },
  },
  {
    prefix: 'snap-',
    service: 'snapshots',
    name: 'snapshot',
    failures: { SnapshotFailed: ({ message }) => `the snapshot ended in error (${text(message)})` },
  },
  {
    prefix: 'i-',
    service: 'instances',
    name: 'instance',
    failures: {
      InstanceLaunchFailed: (data) => `the launch failed, and the instance was terminated (${reasonOf(data)})`,
      InstanceStartFailed: (data) => `the instance could not start, and is stopped again (${reasonOf(data)})`,
    },
  },
  {
    prefix: 'ami-',
    service: 'instances',
    name: 'image',
    failures: { ImageFailed: ({ message }) => `the image could not be made (${text(message)})` },
  },
];

const kindOf = (subject: string): Kind | undefined => KINDS.find(({ prefix }) => subject.startsWith(prefix));

const failuresIn = ({ failures }: Kind, events: readonly TimelineEvent[]): Failure[] =>
  events.flatMap((event) => {
    const what = failures[event.type]?.(event.data);
    return what === undefined ? [] : [{ what, cause: text(event.data['cause']), event }];
  });

const unique = (records: readonly DecisionRecord[]): DecisionRecord[] =>
  [...new Map(records.map((record) => [record.decisionId, record])).values()].sort((a, b) => a.at.localeCompare(b.at));

const KEY_ARN = /arn:aws:kms:([a-z0-9-]+):\d{12}:key\/([\w-]+)/g;
const KEY_CHANGES = new Set([
  ...['KeyEnabled', 'KeyDisabled', 'KeyDeletionScheduled', 'KeyDeletionAwaitsReplicas', 'KeyDeletionCancelled'],
  ...['KeyDeleted', 'KeyPolicyPut', 'KeyMaterialImported', 'KeyMaterialDeleted'],
]);

/** The last change of each key's state or policy that the refusals and causes name, before the last of them. */
const keyChangesBefore = async (
  sources: Sources,
  failures: readonly Failure[],
  refusals: readonly DecisionRecord[],
): Promise<TimelineEvent[]> => {
  const named = JSON.stringify([failures.map(({ cause }) => cause), refusals.map(({ resources }) => resources)]);
  const times = [...failures.map(({ event }) => event.time.getTime()), ...refusals.map(({ at }) => Date.parse(at))];
  const until = Math.max(...times);
  const keyIds = new Set([...named.matchAll(KEY_ARN)].map(([, , keyId = '']) => keyId));
  const changes = await Promise.all(
    [...keyIds].map(async (keyId) => {
      const events = await sources.stream('kms', `key-${keyId}`);
      return events.filter(({ type, time }) => KEY_CHANGES.has(type) && time.getTime() <= until).slice(-1);
    }),
  );
  return changes.flat();
};

const isRefused = ({ allowed }: DecisionRecord): boolean => !allowed;

const refusalText = ({ service, operation, refusal }: DecisionRecord): string =>
  `${service} ${operation} was refused (${refusal?.code ?? ''})`;

const explainRequest = async (sources: Sources, requestId: string): Promise<Explanation> => {
  const [decisions, events] = await Promise.all([sources.decisions({ requestId }), sources.eventsOf(requestId)]);
  if (decisions.length === 0 && events.length === 0) {
    throw new UserError(
      `nothing is kept of ${requestId}: give a request id (x-amzn-RequestId), or the id of a volume, snapshot or ` +
        'instance. Of calls that only read, and of uses of keys, only refusals are kept',
    );
  }
  const failures = KINDS.flatMap((kind) =>
    failuresIn(
      kind,
      events.filter(({ service }) => service === kind.service),
    ),
  );
  const refusals = decisions.filter(isRefused);
  const summary =
    refusals.length > 0
      ? refusals.map(refusalText).join('; ')
      : decisions.length === 0
        ? 'allowed without asking a policy: by the root user, or a service'
        : 'allowed';
  const keyChanges = await keyChangesBefore(sources, failures, refusals);
  return { subject: requestId, summary, failures, decisions, keyChanges, events };
};

/** A launch's volumes have the reasons for its end. */
const volumesOf = (events: readonly TimelineEvent[]): string[] =>
  events.filter(({ type }) => type === 'LaunchVolumeCreated').map(({ data }) => text(data['volumeId']));

const explainResource = async (sources: Sources, kind: Kind, id: string): Promise<Explanation> => {
  const own = await sources.stream(kind.service, `${kind.name}-${id}`);
  const volumes = await Promise.all(volumesOf(own).map((volumeId) => sources.stream('volumes', `volume-${volumeId}`)));
  const ofVolumes = volumes.flatMap((events) => (KINDS[0] === undefined ? [] : failuresIn(KINDS[0], events)));
  const ofItself = failuresIn(kind, own);
  const failures = [...ofItself, ...ofVolumes];
  const requests = new Set(failures.map(({ event }) => event.requestId ?? ''));
  const found = await Promise.all([
    sources.decisions({ resource: id }),
    ...[...requests].map((requestId) => sources.decisions({ requestId })),
  ]);
  const decisions = unique(found.flat()).filter(isRefused);
  if (own.length === 0 && decisions.length === 0) throw new UserError(`there was never a ${kind.name} ${id}`);
  // What failed last is what is asked about: what failed before it may long be mended.
  const latest = ofItself.at(-1) ?? ofVolumes.at(-1);
  const summary =
    latest !== undefined
      ? `${latest.what}: ${latest.cause}`
      : decisions.length > 0
        ? decisions.map(refusalText).join('; ')
        : 'nothing was refused, and nothing of it failed';
  const keyChanges = await keyChangesBefore(sources, failures, decisions);
  return { subject: id, summary, failures, decisions, keyChanges, events: own };
};

/** @throws UserError when nothing is known of the subject. */
export const explanationOf = (sources: Sources, subject: string): Promise<Explanation> => {
  const kind = kindOf(subject);
  return kind === undefined ? explainRequest(sources, subject) : explainResource(sources, kind, subject);
};
