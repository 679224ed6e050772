import { randomBytes } from 'node:crypto';
import { type accountId, type Principal, type RequestContext } from '@holdfast/contracts';
import { testContext } from '@holdfast/messaging/testing';
import { generateRecipient, type Recipient } from '@holdfast/sealing';
import type { BootedService, ServiceEnvironment } from '@holdfast/service-kit';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import { start } from '../service.ts';

export const ACCOUNT = '111122223333' as ReturnType<typeof accountId>;

export interface Credentials {
  AccessKeyId: string;
  SecretAccessKey: string;
  SessionToken: string;
  Expiration: string;
}

/** identity on real servers, and calls to it as the gateway makes them. */
export class RunningIdentity {
  private constructor(
    readonly stack: TestStack,
    readonly service: BootedService,
    private readonly recipient: Recipient,
    private readonly environment: ServiceEnvironment,
  ) {}

  static async start(
    postgresAdminUrl: string,
    settings: Record<string, unknown> = { secretsKey: randomBytes(32).toString('base64') },
  ): Promise<RunningIdentity> {
    const stack = await startTestStack(postgresAdminUrl);
    const environment = await stack.environment(settings);
    const service = await start(environment);
    return new RunningIdentity(stack, service, await generateRecipient(), environment);
  }

  /** Starts another process's worth of the same service on the same database. */
  replica(): Promise<BootedService> {
    return start(this.environment);
  }

  call<Output = Record<string, unknown>>(action: string, input: object = {}, fields: Partial<RequestContext> = {}) {
    return this.stack.bus.request<Output>('identity', action, input, testContext(60_000, fields));
  }

  /** The same as a principal of its account. */
  as<Output = Record<string, unknown>>(principal: Principal, action: string, input: object = {}) {
    return this.call<Output>(action, input, { principal, accountId: principal.accountId });
  }

  /** A call that answers with credentials, opened. */
  async credentials(action: string, input: object, principal?: Principal) {
    const { publicKeyBase64: recipientPublicKey } = this.recipient;
    const who = principal === undefined ? {} : { principal, accountId: principal.accountId };
    const context = testContext(60_000, { recipientPublicKey, ...who });
    interface Answer {
      Credentials?: Credentials;
      AccessKey?: Credentials;
      AssumedRoleUser?: object;
      FederatedUser?: object;
      PackedPolicySize?: number;
    }
    const answer = await this.stack.bus.request<Answer>('identity', action, input, context);
    const sealed = answer.Credentials ?? answer.AccessKey;
    if (sealed === undefined) throw new Error(`${action} answered without credentials`);
    const open = async (text: string) =>
      (await this.recipient.open(text, `identity.${action}.${context.requestId}`)).toString('utf8');
    const SecretAccessKey = await open(sealed.SecretAccessKey);
    const SessionToken = action === 'CreateAccessKey' ? '' : await open(sealed.SessionToken);
    return { ...answer, credentials: { ...sealed, SecretAccessKey, SessionToken } };
  }

  /** As the gateway resolves whoever signs with it; the key and the token opened. */
  async resolve(accessKeyId: string) {
    const answer = await this.call<{
      principal: Principal;
      sealedSigningKey: string;
      sealedSessionToken?: string;
      expiresAt?: string;
    } | null>('ResolveSigningKey', {
      ...{ accessKeyId, date: '20260131', region: 'us-east-1', service: 'iam' },
      recipientPublicKey: this.recipient.publicKeyBase64,
    });
    if (answer === null) return null;
    const { sealedSigningKey, sealedSessionToken, ...rest } = answer;
    return {
      ...rest,
      signingKey: await this.recipient.open(sealedSigningKey, 'signing-key'),
      sessionToken:
        sealedSessionToken === undefined
          ? undefined
          : (await this.recipient.open(sealedSessionToken, 'session-token')).toString('utf8'),
    };
  }

  /** A new user with an access key, as the principal that its calls are made as. */
  async user(UserName: string, policy?: object): Promise<Principal> {
    await this.call('CreateUser', { UserName });
    if (policy !== undefined) {
      await this.call('PutUserPolicy', { UserName, PolicyName: 'inline', PolicyDocument: document(policy) });
    }
    const { credentials } = await this.credentials('CreateAccessKey', { UserName });
    const found = await this.resolve(credentials.AccessKeyId);
    if (found === null) throw new Error('the new key is not there');
    return found.principal;
  }

  async close(): Promise<void> {
    await this.service.close();
    await this.stack.close();
  }
}

/** A policy of these statements. */
export const document = (...Statement: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement });

export const ALLOW_ALL = { Effect: 'Allow', Action: '*', Resource: '*' };
