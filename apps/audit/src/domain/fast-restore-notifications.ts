import type { EbsEvent } from './ebs-events.ts';
import { envelope, type Notification, snapshotArn } from './envelope.ts';
import type { EbsResource, Happened } from './notification.ts';

type State = 'enabling' | 'optimizing' | 'enabled' | 'disabling' | 'disabled';
type Change = Extract<EbsEvent, { type: 'FastRestoreEnabled' | 'FastRestoreDisabled' }>;

/** What is told of a fast restore's states, at once and at their times; `topic` is whose other plans end at `at`. */
export interface FastRestoreNews {
  readonly topic: string;
  readonly at: string;
  readonly now: Notification;
  readonly later: readonly { readonly at: string; readonly notification: Notification }[];
}

const ASKED = 'Client.UserInitiated';
const REACHED = 'Client.UserInitiated - Lifecycle state transition';
/** @see EBS user guide, EBS fast snapshot restore events */
const ENDS = {
  disabled: [ASKED, REACHED],
  lost: Array<string>(2).fill(
    'Client.InvalidSnapshot.InvalidState - The requested snapshot was deleted or access permissions were revoked',
  ),
  archived: Array<string>(2).fill(
    'Client.InvalidSnapshot.InvalidState - The requested snapshot transitioned to an invalid state (Error)',
  ),
} as const;

const plansOf = (event: Change): readonly (readonly [State, message: string, at: string | undefined])[] => {
  const { at } = event;
  if (event.type === 'FastRestoreEnabled')
    return [
      ['enabling', ASKED, at],
      ['optimizing', REACHED, event.optimizingAt],
      ['enabled', REACHED, event.enabledAt],
    ];
  const [disabling = '', disabled = ''] = ENDS[event.reason ?? 'disabled'];
  return [
    ['disabling', disabling, at],
    ['disabled', disabled, event.disabledAt],
  ];
};

/** Null: the event is none of a fast restore. */
export const fastRestoreNews = ({ id, region }: EbsResource, { eventId, data }: Happened): FastRestoreNews | null => {
  if (data.type !== 'FastRestoreEnabled' && data.type !== 'FastRestoreDisabled') return null;
  const { account, zone, at } = data;
  const told = plansOf(data).flatMap(([state, message, when], index) => {
    if (when === undefined) return [];
    const about = { account, region, resources: [snapshotArn(region, id)], at: when };
    const detail = { 'snapshot-id': id, state, zone, message };
    const detailType = 'EBS Fast Snapshot Restore State-change Notification';
    return [{ at: when, notification: envelope(detailType, { eventId, index }, { ...about, detail }) }];
  });
  const [first, ...later] = told;
  return first === undefined ? null : { topic: `${id}/${account}/${zone}`, at, now: first.notification, later };
};
