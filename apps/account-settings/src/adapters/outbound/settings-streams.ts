import { callerOf, type RequestContext } from '@holdfast/contracts';
import type { CommandHandler } from '@holdfast/event-store';
import type { SettingsStreams } from '../../application/ports.ts';
import type { EbsEncryptionCommand, EbsEncryptionSettings } from '../../domain/ebs-encryption.decider.ts';
import type { EbsEncryptionEvent } from '../../domain/ebs-encryption.events.ts';

export type EbsEncryptionHandler = CommandHandler<EbsEncryptionCommand, EbsEncryptionEvent, EbsEncryptionSettings>;

export const streamOf = (accountAndRegion: string) => `ebs-encryption-${accountAndRegion}`;
const idOf = ({ accountId, region }: RequestContext) => `${accountId}-${region}`;

/** Few events ever, so the settings are folded from their stream on each read. */
export class EventSourcedSettings implements SettingsStreams {
  constructor(private readonly handler: EbsEncryptionHandler) {}

  async handle(context: RequestContext, command: EbsEncryptionCommand): Promise<void> {
    await this.handler.handle(idOf(context), command, { metadata: { caller: callerOf(context) }, time: command.at });
  }

  async read(context: RequestContext): Promise<EbsEncryptionSettings> {
    return (await this.handler.load(idOf(context))).state;
  }
}
