export interface BannerFacts {
  readonly endpoint: string;
  readonly home: string;
  readonly ephemeral: boolean;
  /** From the command's start until every service answered. */
  readonly startMs: number;
}

const EXAMPLE_ACCOUNT = '123456789012';
const EXAMPLE_REGION = 'eu-central-1';

/** What a user needs to go on: what kind of start this is, where it listens, how to sign in, what to type next. */
export const banner = ({ endpoint, home, ephemeral, startMs }: BannerFacts): string => {
  const aws = `aws --endpoint-url ${endpoint}`;
  return `
Holdfast is ready after ${(startMs / 1000).toFixed(1)} s.

  mode         DEVELOPMENT: known credentials, so it listens on this machine's loopback only
  endpoint     ${endpoint}
  credentials  access key = any 12-digit account number, secret key = test, any Region
  state        ${home}${ephemeral ? ' (removed at the end)' : ''}

Next, in another terminal:

  export AWS_ACCESS_KEY_ID=${EXAMPLE_ACCOUNT} AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=${EXAMPLE_REGION}
  ${aws} ec2 create-volume --availability-zone ${EXAMPLE_REGION}a --size 1 --encrypted
  ${aws} ec2 describe-volumes

Ctrl-C stops it.
`;
};
