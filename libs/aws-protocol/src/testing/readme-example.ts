import { AwsError } from '@holdfast/contracts';
import {
  deriveSigningKey,
  type ec2,
  parseRequest,
  type RawRequest,
  serializeError,
  serializeResponse,
  serviceOf,
  SignatureVerifier,
} from '../index.ts';

const verifier = new SignatureVerifier<{ accountId: string }>({
  now: () => new Date(),
  resolve: async ({ accessKeyId, date, region, service }) =>
    accessKeyId === '123456789012'
      ? { principal: { accountId: accessKeyId }, signingKey: deriveSigningKey('test', date, region, service) }
      : null,
});

const describeVolumes = ({ VolumeIds = [] }: ec2.DescribeVolumesRequest): ec2.DescribeVolumesResult => ({
  Volumes: VolumeIds.map((VolumeId) => ({ VolumeId, State: 'available', Size: 8, Attachments: [] })),
});

export const answer = async (raw: RawRequest) => {
  const context = { requestId: crypto.randomUUID(), now: new Date() };
  try {
    await verifier.authenticate(raw);
    const { service, operation, input } = parseRequest(raw);
    if (operation !== 'DescribeVolumes')
      throw new AwsError({ code: 'UnauthorizedOperation', message: 'Not this one.' });
    return serializeResponse(service, operation, describeVolumes(input), context);
  } catch (error) {
    const shape =
      error instanceof AwsError ? error : { code: 'InternalError', message: 'An internal error has occurred' };
    return serializeError(serviceOf(raw), shape, context);
  }
};
