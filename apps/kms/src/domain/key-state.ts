import { refuse } from './errors.ts';

/** The states that a key with material made here can be in. */
export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion';

/** Operations that some state forbids, and what they are refused with there. @see KMS developer guide, Key states of AWS KMS keys */
const FORBIDDEN = {
  cryptographic: { Disabled: 'KeyDisabled', PendingDeletion: 'KeyPendingDeletion' },
  CreateGrant: { Disabled: 'KeyDisabled', PendingDeletion: 'KeyPendingDeletion' },
  CreateAlias: { PendingDeletion: 'KeyPendingDeletion' },
  UpdateAlias: { PendingDeletion: 'KeyPendingDeletion' },
  TagResource: { PendingDeletion: 'KeyPendingDeletion' },
  UntagResource: { PendingDeletion: 'KeyPendingDeletion' },
  UpdateKeyDescription: { PendingDeletion: 'KeyPendingDeletion' },
  EnableKey: { PendingDeletion: 'KeyPendingDeletion' },
  DisableKey: { PendingDeletion: 'KeyPendingDeletion' },
  ScheduleKeyDeletion: { PendingDeletion: 'KeyPendingDeletion' },
  CancelKeyDeletion: { Enabled: 'KeyNotPendingDeletion', Disabled: 'KeyNotPendingDeletion' },
} as const satisfies Record<
  string,
  Partial<Record<KeyState, 'KeyDisabled' | 'KeyPendingDeletion' | 'KeyNotPendingDeletion'>>
>;

/** @throws DomainError KeyDisabled | KeyPendingDeletion | KeyNotPendingDeletion */
export const requireState = (operation: keyof typeof FORBIDDEN, state: KeyState, arn: string): void => {
  const row: Partial<Record<KeyState, 'KeyDisabled' | 'KeyPendingDeletion' | 'KeyNotPendingDeletion'>> =
    FORBIDDEN[operation];
  const code = row[state];
  if (code !== undefined) refuse(code, { arn });
};
