import { EC2Client } from '@aws-sdk/client-ec2';
import { KMSClient } from '@aws-sdk/client-kms';
import { STSClient } from '@aws-sdk/client-sts';

/** Official clients for one development account: access key = account number, secret `test`. */
export const clientsFor = (endpoint: string, accountId: string, region = 'eu-central-1') => {
  const settings = {
    endpoint,
    region,
    credentials: { accessKeyId: accountId, secretAccessKey: 'test' },
    maxAttempts: 1,
  };
  return { ec2: new EC2Client(settings), kms: new KMSClient(settings), sts: new STSClient(settings) };
};

export type Clients = ReturnType<typeof clientsFor>;

/** Asks until `done` says so; what the SDK's waiters do, at a pace that suits a local stack. */
export const eventually = async <T>(
  ask: () => Promise<T>,
  done: (answer: T) => boolean,
  timeoutMs = 120_000,
): Promise<T> => {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (done(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

/** @returns milliseconds until it was so. */
export const untilIs = async (wanted: string, ask: () => Promise<string>): Promise<number> => {
  const began = performance.now();
  await eventually(ask, (answer) => answer === wanted);
  return performance.now() - began;
};

/** The best of several times, since a machine with much else to do takes longer now and then. */
export const fastest = async (work: () => Promise<number>, enoughMs: number): Promise<number> => {
  let bestMs = Infinity;
  for (let tries = 0; tries < 10 && bestMs >= enoughMs; tries++) bestMs = Math.min(bestMs, await work());
  return bestMs;
};
