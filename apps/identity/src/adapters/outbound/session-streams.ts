import type { Caller } from '@holdfast/contracts';
import type { CommandHandler } from '@holdfast/event-store';
import type { SessionStreams } from '../../application/ports.ts';
import type { IssueSession, SessionIssued } from '../../domain/session.decider.ts';

export class EventSourcedSessions implements SessionStreams {
  constructor(private readonly handler: CommandHandler<IssueSession, SessionIssued, boolean>) {}

  async issue(session: IssueSession, caller: Caller): Promise<void> {
    await this.handler.handle(session.accessKeyId, session, { metadata: { caller }, time: session.at });
  }
}
