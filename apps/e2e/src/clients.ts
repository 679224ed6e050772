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
