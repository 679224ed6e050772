import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { AwsError } from '@holdfast/contracts';
import type { Bus, RequestHandlers } from '@holdfast/messaging';
import type { Logger } from '@holdfast/service-kit';
import { createInbox, type Msg, type Subscription } from '@nats-io/nats-core';
import { z } from 'zod';
import { Rewrapper } from './rewrapper.ts';
import type { RootKeys } from './root-keys.ts';
import { beginRotation, retireVersion, rootKeyStatus } from './rotation.ts';
import { RootKeyError } from './types.ts';

/** How long processes may take to say whether they find a version. */
const ANSWER_TIMEOUT_MS = 1000;

const noticeSchema = z.object({ versionId: z.string() });
const answerSchema = z.object({ process: z.string(), finds: z.boolean() });
const rotateSchema = z.strictObject({ anew: z.boolean().default(false) });
const retireSchema = z.strictObject({
  versionId: z.string().regex(/^[0-9a-f]{4,64}$/, 'at least 4 hexadecimal digits'),
});

/**
 * A service's root key as its operator works with it: requests of `holdfast root-key`, what processes tell each other, and the
 * wrapping in the background. A Nest provider of the service's module.
 */
export class RootKeyService {
  private readonly process = `${hostname()}/${String(process.pid)}/${randomUUID().slice(0, 8)}`;
  private readonly rewrapper: Rewrapper;
  private readonly subject: string;
  private subscription: Subscription | undefined;

  constructor(
    private readonly rootKeys: RootKeys,
    private readonly bus: Bus,
    private readonly logger: Logger,
  ) {
    this.rewrapper = new Rewrapper(rootKeys, logger);
    this.subject = `${rootKeys.service}.root-key.version`;
  }

  onApplicationBootstrap(): void {
    this.subscription = this.bus.connection.subscribe(this.subject, {
      callback: (_, message) => void this.onNotice(message),
    });
    this.rewrapper.start();
  }

  async onModuleDestroy(): Promise<void> {
    this.subscription?.unsubscribe();
    await this.rewrapper.stop();
    await this.rootKeys.close();
  }

  /** For the service's own table of requests. Nobody but operators sends these: no AWS operation leads here. */
  get requests(): RequestHandlers {
    return {
      GetRootKeyStatus: refusing(z.strictObject({}), async () => {
        const status = await rootKeyStatus(this.rootKeys);
        if (status.blobsUnderOthers > 0) this.rewrapper.wake();
        return status;
      }),
      RotateRootKey: refusing(rotateSchema, async ({ anew }) => {
        const rotation = await beginRotation(this.rootKeys, (versionId) => this.ask(versionId), anew);
        this.logger.info({ ...rotation }, 'root key rotation');
        this.tell(rotation.versionId);
        return rotation;
      }),
      RetireRootKey: refusing(retireSchema, async ({ versionId: prefix }) => {
        const retired = await retireVersion(this.rootKeys, prefix);
        this.logger.info({ ...retired }, 'root key version retired');
        this.tell(retired.versionId);
        return retired;
      }),
    };
  }

  /** Every process of the service looks at its provider and at the current version again. */
  private tell(versionId: string): void {
    this.bus.connection.publish(this.subject, JSON.stringify({ versionId }));
  }

  private async ask(versionId: string): Promise<string[]> {
    const without: string[] = [];
    const { connection } = this.bus;
    const inbox = createInbox();
    const answers = connection.subscribe(inbox, {
      callback: (_, message) => {
        const answer = answerSchema.safeParse(message.data.length === 0 ? null : message.json());
        if (answer.success && !answer.data.finds) without.push(answer.data.process);
      },
    });
    connection.publish(this.subject, JSON.stringify({ versionId }), { reply: inbox });
    await new Promise((resolve) => setTimeout(resolve, ANSWER_TIMEOUT_MS));
    answers.unsubscribe();
    return without.sort();
  }

  private async onNotice(message: Msg): Promise<void> {
    try {
      const { versionId } = noticeSchema.parse(message.json());
      const versions = await this.rootKeys.provider.versions();
      if (message.reply !== undefined && message.reply !== '') {
        const finds = versions.some((version) => version.versionId === versionId);
        message.respond(JSON.stringify({ process: this.process, finds }));
        return;
      }
      this.rewrapper.wake();
    } catch (error) {
      this.logger.warn({ err: error }, 'a notice about the root key was not followed');
    }
  }
}

/** Refusals reach the operator with their reason; anything else is an internal error like any other. */
const refusing =
  <Shape extends z.ZodType>(shape: Shape, run: (input: z.output<Shape>) => Promise<unknown>) =>
  async (input: unknown): Promise<unknown> => {
    const parsed = shape.safeParse(input);
    if (!parsed.success) {
      const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
      throw new AwsError({ code: 'InvalidRequest', message: problems.join('; ') });
    }
    try {
      return await run(parsed.data);
    } catch (error) {
      if (error instanceof RootKeyError) throw new AwsError({ code: 'RootKeyRefused', message: error.message });
      throw error;
    }
  };
