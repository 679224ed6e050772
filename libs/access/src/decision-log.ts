import { randomUUID } from 'node:crypto';
import { accountId, AwsError, region, type RequestContext } from '@holdfast/contracts';
import type { DecisionRecord } from '@holdfast/iam';
import { type BusLogger, PayloadTooLarge, type Requests } from '@holdfast/messaging';

/** Records that one request to `audit` carries: a record has at most a few tens of kilobytes, a message one megabyte. */
const BATCH_RECORDS = 64;
const BATCH_CHARACTERS = 400_000;
/** Records that wait while `audit` is away; the oldest go first. */
const MAX_WAITING = 2_000;
/** How long records of allowed calls wait for others to go with, in milliseconds. */
const GATHER_MS = 100;
/** Between two attempts while `audit` is away, in milliseconds. */
const RETRY_MS = 1_000;
/** How long one attempt may take, and with it how much later a refusal is answered, in milliseconds. */
const ATTEMPT_MS = 1_000;

const NOBODY = accountId('000000000000');

const ownContext = (): RequestContext => ({
  requestId: randomUUID(),
  accountId: NOBODY,
  region: region('us-east-1'),
  principal: { type: 'AWSService', arn: 'holdfast', accountId: NOBODY, principalId: 'holdfast' },
  sourceIp: 'holdfast',
  userAgent: 'holdfast',
  deadlineMs: Date.now() + ATTEMPT_MS,
});

/** No later attempt would end otherwise; what waits behind must not wait for it. */
const isHopeless = (error: unknown): boolean => error instanceof AwsError || error instanceof PayloadTooLarge;

/**
 * Sends decisions to `audit`, which keeps them: many in one request, and never in the way of a call that is allowed. While
 * `audit` is away they wait, as many as fit; answers do not.
 */
export class DecisionLog {
  private waiting: DecisionRecord[] = [];
  private sending: Promise<void> | null = null;
  private timer: NodeJS.Timeout | null = null;
  private dropped = 0;
  private failing = false;
  private closed = false;

  constructor(
    private readonly requests: Pick<Requests, 'request'>,
    private readonly logger: Pick<BusLogger, 'warn'>,
  ) {}

  /** Of a call that is allowed: kept soon. */
  allowed(record: DecisionRecord): void {
    this.add(record);
    this.later(GATHER_MS);
  }

  /** Of a refusal: resolves once it is kept, so that whoever is refused can ask why at once; or once an attempt failed. */
  async refused(record: DecisionRecord): Promise<void> {
    this.add(record);
    // Of an attempt under way it is not part; and after one that failed, refusals don't wait for the next.
    await this.sending;
    if (!this.failing) await this.send();
  }

  /** One last attempt for what waits. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.sending;
    await this.send();
  }

  private add(record: DecisionRecord): void {
    this.waiting.push(record);
    if (this.waiting.length <= MAX_WAITING) return;
    this.waiting.shift();
    this.dropped += 1;
  }

  private later(ms: number): void {
    if (this.timer !== null || this.closed) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      void this.send();
    }, ms);
    this.timer.unref();
  }

  /** Callers that come together share an attempt. */
  private send(): Promise<void> {
    this.sending ??= this.sendAll().finally(() => {
      this.sending = null;
    });
    return this.sending;
  }

  private async sendAll(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.nextBatch();
      try {
        await this.requests.request('audit', 'RecordDecisions', { decisions: batch }, ownContext());
        this.failing = false;
      } catch (error) {
        if (isHopeless(error)) {
          this.logger.warn({ err: error, lost: batch.length }, 'decisions could not be kept');
          continue;
        }
        // What was sent may have arrived: `audit` keeps a record once.
        this.waiting = [...batch, ...this.waiting].slice(-MAX_WAITING);
        this.logger.warn(
          { err: error, waiting: this.waiting.length, dropped: this.dropped },
          'decisions are not kept yet',
        );
        this.failing = true;
        return this.later(RETRY_MS);
      }
    }
  }

  private nextBatch(): DecisionRecord[] {
    let characters = 0;
    let count = 0;
    for (const record of this.waiting.slice(0, BATCH_RECORDS)) {
      characters += JSON.stringify(record).length;
      if (count > 0 && characters > BATCH_CHARACTERS) break;
      count += 1;
    }
    return this.waiting.splice(0, count);
  }
}
