import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from '@holdfast/contracts';
import { fold, VersionConflict } from '@holdfast/decider';
import type { EventStore } from '@holdfast/event-store';
import type { AccountStreams } from '../../application/ports.ts';
import type { IamCommand } from '../../domain/iam.commands.ts';
import { iamDecider } from '../../domain/iam.decider.ts';
import type { IamEvent } from '../../domain/iam.events.ts';
import type { IamState } from '../../domain/iam.state.ts';

/** Replicas that change one account at the same time take turns by chance: this many misses in a row do not happen. */
const ATTEMPTS = 25;
const MAX_WAIT_MS = 20;
/** Accounts whose state is kept; the least recently changed goes first. */
const MAX_MEMOS = 256;

interface Memo {
  readonly state: IamState;
  readonly version: number;
}

/**
 * Accounts' IAM streams, each with a memo: a change reads what came after the last one. Changes to one account made here
 * wait for each other, so that a client that makes ten at once meets no conflict; other replicas' are met by deciding again.
 */
export class EventSourcedAccounts implements AccountStreams {
  private readonly memos = new Map<string, Memo>();
  private readonly queues = new Map<string, Promise<unknown>>();

  constructor(private readonly store: EventStore) {}

  async handle(command: IamCommand, caller: Caller): Promise<readonly IamEvent[]> {
    const { accountId } = command;
    const before = this.queues.get(accountId) ?? Promise.resolve();
    const run = before.then(() => this.decide(command, caller));
    const settled = run.catch(() => undefined);
    this.queues.set(accountId, settled);
    try {
      return await run;
    } finally {
      if (this.queues.get(accountId) === settled) this.queues.delete(accountId);
    }
  }

  /** Drops all memos: the log was emptied. */
  forget(): void {
    this.memos.clear();
  }

  private async decide(command: IamCommand, caller: Caller): Promise<readonly IamEvent[]> {
    const { accountId, at } = command;
    const streamId = `iam-${accountId}`;
    for (let attempt = 1; ; attempt++) {
      const { state, version } = await this.load(accountId, streamId);
      const events = iamDecider.decide(command, state);
      if (events.length === 0) return [];
      try {
        await this.store.append(streamId, version, events, { metadata: { caller }, time: at });
        this.remember(accountId, { state: fold(iamDecider, events, state), version: version + events.length });
        return events;
      } catch (error) {
        // A memo is a beginning of history, so a conflict leaves it true; but never insist on one.
        if (attempt > 3) this.memos.delete(accountId);
        if (!(error instanceof VersionConflict) || attempt === ATTEMPTS) throw error;
        await sleep(Math.random() * MAX_WAIT_MS);
      }
    }
  }

  private async load(accountId: string, streamId: string): Promise<Memo> {
    const memo = this.memos.get(accountId) ?? { state: iamDecider.initialState, version: 0 };
    const news = await this.store.readStream<IamEvent>(streamId, memo.version + 1);
    const last = news.at(-1);
    if (last === undefined) return memo;
    const data = news.map((event) => event.data);
    const current = { state: fold(iamDecider, data, memo.state), version: last.version };
    this.remember(accountId, current);
    return current;
  }

  private remember(accountId: string, memo: Memo): void {
    this.memos.delete(accountId);
    this.memos.set(accountId, memo);
    if (this.memos.size <= MAX_MEMOS) return;
    const [oldest] = this.memos.keys();
    if (oldest !== undefined) this.memos.delete(oldest);
  }
}
