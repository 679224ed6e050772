import { callerOf, type Instant, type RequestContext } from '@holdfast/contracts';
import type { CommandHandler, DomainEvent } from '@holdfast/event-store';
import type { ImagePublicAccessStreams, PublicAccessStreams, SettingsStreams } from '../../application/ports.ts';
import type { EbsEncryptionCommand, EbsEncryptionSettings } from '../../domain/ebs-encryption.decider.ts';
import type { EbsEncryptionEvent } from '../../domain/ebs-encryption.events.ts';
import type { ImagePublicAccess, ImagePublicAccessCommand } from '../../domain/image-public-access.decider.ts';
import type { ImagePublicAccessEvent } from '../../domain/image-public-access.events.ts';
import type { SnapshotPublicAccess, SnapshotPublicAccessCommand } from '../../domain/snapshot-public-access.decider.ts';
import type { SnapshotPublicAccessEvent } from '../../domain/snapshot-public-access.events.ts';

export const encryptionStream = (accountAndRegion: string) => `ebs-encryption-${accountAndRegion}`;
export const publicAccessStream = (accountAndRegion: string) => `snapshot-public-access-${accountAndRegion}`;
export const imagePublicAccessStream = (accountAndRegion: string) => `image-public-access-${accountAndRegion}`;

type Place = Pick<RequestContext, 'accountId' | 'region'>;
const idOf = ({ accountId, region }: Place) => `${accountId}-${region}`;

/** Few events ever, so settings are folded from their stream on each read. */
class EventSourced<Command extends { type: string; at: Instant }, Event extends DomainEvent, State> {
  constructor(private readonly handler: CommandHandler<Command, Event, State>) {}

  async handle(context: RequestContext, command: Command): Promise<void> {
    await this.handler.handle(idOf(context), command, { metadata: { caller: callerOf(context) }, time: command.at });
  }

  async read(place: Place): Promise<State> {
    return (await this.handler.load(idOf(place))).state;
  }
}

export class EventSourcedSettings
  extends EventSourced<EbsEncryptionCommand, EbsEncryptionEvent, EbsEncryptionSettings>
  implements SettingsStreams {}

export class EventSourcedPublicAccess
  extends EventSourced<SnapshotPublicAccessCommand, SnapshotPublicAccessEvent, SnapshotPublicAccess>
  implements PublicAccessStreams {}

export class EventSourcedImagePublicAccess
  extends EventSourced<ImagePublicAccessCommand, ImagePublicAccessEvent, ImagePublicAccess>
  implements ImagePublicAccessStreams {}
