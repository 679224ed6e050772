import { randomBytes } from 'node:crypto';
import { CallerPoliciesCache, DecisionLog } from '@holdfast/access';
import { SignatureVerifier } from '@holdfast/aws-protocol';
import { PageTokens } from '@holdfast/ec2';
import { type ServiceParts, systemClock } from '@holdfast/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { Counter, Histogram, type Registry } from 'prom-client';
import { Authorizer } from './authorization/authorizer.ts';
import { AwsAnswers, type Observer } from './aws/answer.ts';
import { BlockPayloads } from './aws/block-payloads.ts';
import { Dispatcher } from './aws/dispatch.ts';
import { forgetRevokedKeys } from './aws/revocations.ts';
import { SealedMembers } from './aws/sealed-members.ts';
import { SigningKeys } from './aws/signing-keys.ts';
import { Tags } from './aws/tags.ts';
import { settingsSchema } from './config.ts';
import { GatewayServer } from './gateway-server.ts';
import { parseRequestRates, RequestThrottle } from './throttling/request-rates.ts';

/** How late at most a key that was taken back is noticed, should the news of it be missed. */
const SIGNING_KEY_CACHE_MS = 1000;

const requestMetrics = (registry: Registry): Observer => {
  const labelNames = ['service', 'operation', 'code'];
  const registers = [registry];
  const requests = new Counter({ name: 'holdfast_api_requests_total', help: 'AWS requests answered', labelNames, registers }); // prettier-ignore
  const seconds = new Histogram({
    name: 'holdfast_api_request_seconds',
    help: 'Time from a request being read to its answer being ready',
    labelNames: ['service', 'operation'],
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 30],
    registers,
  });
  return {
    answered: (service, operation, code, duration) => {
      requests.inc({ service, operation, code });
      seconds.observe({ service, operation }, duration);
    },
  };
};

/** What waits is sent while the bus is still there. */
class OwnDecisionLog extends DecisionLog {
  onModuleDestroy(): Promise<void> {
    return this.close();
  }
}

@Module({})
export class ApiGatewayModule {
  static register({ environment, bus, clock, logger, metrics }: ServiceParts): DynamicModule {
    const settings = settingsSchema.parse(environment.settings);
    const throttle = new RequestThrottle(parseRequestRates(settings.requestRates ?? 'off'));
    const isDevelopment = environment.mode === 'development';
    return {
      module: ApiGatewayModule,
      providers: [
        { provide: SealedMembers, useFactory: () => SealedMembers.create(bus) },
        { provide: SigningKeys, useFactory: () => SigningKeys.create(bus) },
        { provide: OwnDecisionLog, useFactory: () => new OwnDecisionLog(bus, logger) },
        { provide: BlockPayloads, useFactory: () => BlockPayloads.create(bus, clock) },
        {
          provide: Dispatcher,
          inject: [SealedMembers, BlockPayloads, OwnDecisionLog],
          useFactory: (sealed: SealedMembers, blocks: BlockPayloads, decisions: OwnDecisionLog) => {
            const tokens = new PageTokens(randomBytes(32).toString('base64'));
            const authorizer = new Authorizer(new CallerPoliciesCache(bus), bus, clock, decisions);
            return new Dispatcher(throttle, authorizer, bus, sealed, new Tags(bus, tokens), blocks);
          },
        },
        {
          provide: AwsAnswers,
          inject: [SigningKeys, Dispatcher],
          useFactory: (keys: SigningKeys, dispatcher: Dispatcher) => {
            // Clients sign by their own clocks and correct them by our answers' dates: a turned clock is none of theirs.
            const verifier = new SignatureVerifier({
              resolve: (scope) => keys.resolve(scope),
              now: systemClock.now,
              cacheMs: SIGNING_KEY_CACHE_MS,
            });
            forgetRevokedKeys(bus, verifier);
            return new AwsAnswers(verifier, dispatcher, systemClock, logger, requestMetrics(metrics));
          },
        },
        {
          provide: GatewayServer,
          inject: [AwsAnswers],
          useFactory: (answers: AwsAnswers) =>
            new GatewayServer({
              ...{ answers, requests: bus, clock, logger, settings },
              ...(isDevelopment ? { development: { connection: bus.connection } } : {}),
            }),
        },
      ],
    };
  }
}
