import type { ParsedRequest } from '@holdfast/aws-protocol';
import { AwsError, type RequestContext } from '@holdfast/contracts';
import { KMS_QUOTAS, kmsDefault, kmsQuotaOf } from './kms-quotas.ts';
import { type Rate, TokenBuckets } from './token-buckets.ts';

/** EC2 fills its buckets by kind of call. @see EC2 API reference, Request throttling */
const EC2_RATES: Readonly<Record<string, Rate>> = {
  'non-mutating': { perSecond: 20, burst: 100 },
  unfiltered: { perSecond: 10, burst: 50 },
  mutating: { perSecond: 5, burst: 200 },
};

const READS = /^(?:Describe|Get|List|Search)/;
const SELECTORS = ['Filters', 'MaxResults', 'NextToken'];

/** Describe calls that name neither ids nor filters nor a page's size cost EC2 most. */
const ec2KindOf = ({ operation, input }: ParsedRequest): string => {
  if (!READS.test(operation)) return 'mutating';
  const names = Object.keys(input);
  const isNarrow = names.some((name) => SELECTORS.includes(name) || /Ids?$/.test(name));
  return operation.startsWith('Describe') && !isNarrow ? 'unfiltered' : 'non-mutating';
};

/** By `kms:<quota>` and `ec2:<kind>`: the rates that a deployment sets. `aws`: all others are AWS's defaults; else none. */
export interface RequestRates {
  readonly aws: boolean;
  readonly own: ReadonlyMap<string, number>;
}

export const NO_RATES: RequestRates = { aws: false, own: new Map() };

const NAMES = new Set([...KMS_QUOTAS.map((quota) => `kms:${quota}`), ...Object.keys(EC2_RATES).map((kind) => `ec2:${kind}`)]); // prettier-ignore

/**
 * @param text `aws`, `off`, or a list like `aws,kms:CreateKey=10,ec2:mutating=100`: requests a second.
 * @throws RangeError naming what makes no sense.
 */
export const parseRequestRates = (text: string): RequestRates => {
  const own = new Map<string, number>();
  let aws = false;
  for (const part of text.split(',').map((piece) => piece.trim())) {
    if (part === 'aws') aws = true;
    else if (part !== 'off') {
      const [name = '', value = '', ...rest] = part.split('=');
      const perSecond = Number(value);
      if (!NAMES.has(name) || rest.length > 0 || !(perSecond > 0) || !Number.isFinite(perSecond)) {
        throw new RangeError(`${part} is no request rate: <name>=<requests a second>, the name like kms:CreateKey`);
      }
      own.set(name, perSecond);
    }
  }
  return { aws, own };
};

const refusals = {
  kms: () =>
    new AwsError({
      code: 'ThrottlingException',
      message: 'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.',
      status: 400,
    }),
  ec2: () => new AwsError({ code: 'RequestLimitExceeded', message: 'Request limit exceeded.', status: 503 }),
};

/** Holds each account in each Region to its request rates. What services ask on somebody's behalf is not counted. */
export class RequestThrottle {
  constructor(
    private readonly rates: RequestRates,
    private readonly buckets: TokenBuckets = new TokenBuckets(),
  ) {}

  /** @throws AwsError ThrottlingException | RequestLimitExceeded, which SDKs answer by trying again later. */
  check(request: ParsedRequest, { accountId, region }: Pick<RequestContext, 'accountId' | 'region'>): void {
    const { service } = request;
    if (service !== 'kms' && service !== 'ec2') return;
    const quota = service === 'kms' ? kmsQuotaOf(request) : ec2KindOf(request);
    const name = `${service}:${quota}`;
    const rate = this.rateOf(service, quota, region);
    if (rate !== null && !this.buckets.take(`${accountId} ${region} ${name}`, rate)) throw refusals[service]();
  }

  private rateOf(service: 'kms' | 'ec2', quota: string, region: string): Rate | null {
    const own = this.rates.own.get(`${service}:${quota}`);
    if (own !== undefined) return { perSecond: own, burst: Math.max(1, own) };
    if (!this.rates.aws) return null;
    if (service === 'ec2') return EC2_RATES[quota] ?? null;
    const perSecond = kmsDefault(quota, region);
    return { perSecond, burst: Math.max(1, perSecond) };
  }
}
