import type { RequestContext } from '@holdfast/contracts';
import type { KeyOperation } from '../domain/key-state.ts';
import type { KeyCommand } from '../domain/key.commands.ts';
import type { KeyEvent } from '../domain/key.events.ts';
import { type AccessDetails, openKeyFor, type ResolvedKey } from './access.ts';
import { appendOptions } from './action.ts';
import type { KeyRecord, Kms } from './ports.ts';

/** A command on an existing key, without what every one of them has. */
export type Change =
  Exclude<KeyCommand, { type: 'CreateKey' }> extends infer Command
    ? Command extends KeyCommand
      ? Omit<Command, 'keyId' | 'region' | 'at'>
      : never
    : never;

/** Decides on the key's history and appends what comes of it. */
export const applyChange = async (
  kms: Kms,
  key: KeyRecord,
  context: RequestContext,
  change: Change,
): Promise<readonly KeyEvent[]> => {
  const command = { ...change, keyId: key.keyId, region: key.region, at: kms.clock.instant() } as KeyCommand;
  const appended = await kms.keyStreams.handle(key.keyId, command, appendOptions(kms, context));
  return appended.map(({ data }) => data);
};

/** Resolves, authorizes and changes a key, as the operation that the command is named after. */
export const changeKey = async (
  kms: Kms,
  keyId: string,
  context: RequestContext,
  change: Change & { readonly type: KeyOperation },
  details: AccessDetails = {},
): Promise<{ key: ResolvedKey; events: readonly KeyEvent[] }> => {
  const key = await openKeyFor(kms, change.type, keyId, context, details);
  return { key, events: await applyChange(kms, key, context, change) };
};
