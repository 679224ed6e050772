import { expect, it } from 'vitest';
import { formatNotification } from './notifications.ts';

it('shows a notification in one line', () => {
  const line = formatNotification({
    ...{ 'detail-type': 'EBS Volume Notification', time: '2026-01-31T12:00:00Z' },
    ...{ account: '111122223333', region: 'eu-central-1', resources: ['arn:volume', 'arn:key'] },
    detail: { event: 'createVolume', result: 'failed', cause: 'arn:key is disabled.' },
  });
  expect(line.replaceAll(/ +/g, ' ')).toBe(
    '2026-01-31T12:00:00Z 111122223333 eu-central-1 createVolume failed arn:volume arn:key cause: arn:key is disabled.',
  );
});

it('shows the state of a fast restore', () => {
  const line = formatNotification({
    ...{ 'detail-type': 'EBS Fast Snapshot Restore State-change Notification', time: '2026-01-31T12:00:00Z' },
    ...{ account: '111122223333', region: 'eu-central-1', resources: ['arn:snapshot'] },
    detail: { state: 'enabling', zone: 'eu-central-1a', message: 'Client.UserInitiated' },
  });
  expect(line.replaceAll(/ +/g, ' ')).toBe(
    '2026-01-31T12:00:00Z 111122223333 eu-central-1 fast restore eu-central-1a enabling arn:snapshot cause: Client.UserInitiated',
  );
});
