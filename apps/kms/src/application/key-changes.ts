import type { RequestContext } from '@holdfast/contracts';
import { requireState } from '../domain/key-state.ts';
import type { KeyCommand } from '../domain/key.decider.ts';
import type { KeyEvent } from '../domain/key.events.ts';
import { openKey } from './access.ts';
import { appendOptions } from './action.ts';
import type { KeyRecord, Kms } from './ports.ts';

/** A command on an existing key, without what every one of them has. */
type Change =
  Exclude<KeyCommand, { type: 'CreateKey' | 'CompleteKeyDeletion' }> extends infer Command
    ? Command extends KeyCommand
      ? Omit<Command, 'keyId' | 'at'>
      : never
    : never;

/** Resolves, authorizes and changes a key, as the operation that the command is named after. */
export const changeKey = async (
  kms: Kms,
  keyId: string,
  context: RequestContext,
  change: Change,
): Promise<{ key: KeyRecord; events: readonly KeyEvent[] }> => {
  const key = await openKey(kms, keyId, context, { action: change.type, aliases: false });
  requireState(change.type, key.state, key.arn);
  const command = { ...change, keyId: key.keyId, at: kms.clock.instant() } as KeyCommand;
  const appended = await kms.keyStreams.handle(key.keyId, command, appendOptions(kms, context));
  return { key, events: appended.map(({ data }) => data) };
};
