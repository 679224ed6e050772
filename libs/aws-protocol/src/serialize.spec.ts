import { AwsError } from '@holdfast/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { serializeError, serializeResponse } from './serialize.ts';
import type { ServiceId } from './service-model.ts';
import { unsupportedOperation } from './services.ts';
import { accessDenied } from './sigv4/failures.ts';
import { escapeXml } from './xml-output.ts';

const context = { requestId: 'id-1', now: new Date('2024-01-02T03:04:05Z') };
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
const bodyOf = (service: ServiceId, operation: string, output: unknown) =>
  serializeResponse(service, operation, output, context).body.toString().replace(DECLARATION, '');
const errorOf = (service: ServiceId | null, error: ConstructorParameters<typeof AwsError>[0]) => {
  const { status, headers, body } = serializeError(service, new AwsError(error), context);
  return { status, headers, body: body.toString().replace(DECLARATION, '') };
};

describe('an answer', () => {
  it('carries request id, date, type and length on every protocol', () => {
    const answers = [
      serializeResponse('ec2', 'CreateTags', {}, context),
      serializeResponse('sts', 'GetCallerIdentity', {}, context),
      serializeResponse('kms', 'ListKeys', {}, context),
      serializeResponse('ebs', 'CompleteSnapshot', {}, context),
      serializeError('kms', { code: 'X' }, context),
    ];
    for (const { headers, body } of answers) {
      expect(headers).toMatchObject({
        'x-amzn-requestid': 'id-1',
        date: 'Tue, 02 Jan 2024 03:04:05 GMT',
        'content-length': String(body.length),
      });
    }
    expect(answers.map(({ headers }) => headers['content-type'])).toEqual([
      'text/xml;charset=UTF-8',
      'text/xml;charset=UTF-8',
      'application/x-amz-json-1.1',
      'application/json',
      'application/x-amz-json-1.1',
    ]);
  });
  it('of EC2 has its id first and its lists as sets', () => {
    const volume = {
      VolumeId: 'vol-1',
      State: 'in-use',
      SnapshotId: '',
      Attachments: [],
      Size: 8,
      Encrypted: false,
      Tags: undefined,
    };
    expect(bodyOf('ec2', 'DescribeVolumes', { Volumes: [volume] })).toBe(
      '<DescribeVolumesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>id-1</requestId><volumeSet><item>' +
        '<volumeId>vol-1</volumeId><size>8</size><snapshotId/><status>in-use</status><attachmentSet/><encrypted>false</encrypted>' +
        '</item></volumeSet></DescribeVolumesResponse>',
    );
    expect(bodyOf('ec2', 'DescribeVolumes', { Volumes: [] })).toContain('<volumeSet/>');
  });
  it('of an EC2 operation without output is true', () => {
    expect(bodyOf('ec2', 'DeleteVolume', {})).toBe(
      '<DeleteVolumeResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>id-1</requestId><return>true</return></DeleteVolumeResponse>',
    );
  });
  it('of STS and IAM has a result and metadata, or metadata alone', () => {
    expect(bodyOf('sts', 'GetCallerIdentity', { Account: '1' })).toBe(
      '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Account>1</Account>' +
        '</GetCallerIdentityResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>',
    );
    expect(bodyOf('iam', 'DeleteUser', {})).toBe(
      '<DeleteUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></DeleteUserResponse>',
    );
    const summary = bodyOf('iam', 'GetAccountSummary', { SummaryMap: { Users: 2 } });
    expect(summary).toContain('<SummaryMap><entry><key>Users</key><value>2</value></entry></SummaryMap>');
  });
  it('of KMS has epoch seconds and base64; without output it is empty', () => {
    const metadata = { KeyId: 'k', CreationDate: '2024-01-01T00:00:00.250Z' };
    expect(JSON.parse(bodyOf('kms', 'DescribeKey', { KeyMetadata: metadata }))).toEqual({
      KeyMetadata: { KeyId: 'k', CreationDate: 1704067200.25 },
    });
    expect(bodyOf('kms', 'DisableKey', {})).toBe('');
  });
  it('keeps the keys of a map, __proto__ too', () => {
    const subset = JSON.parse('{"__proto__":"p","a":"b"}') as unknown;
    const grants = { Grants: [{ Constraints: { EncryptionContextSubset: subset } }] };
    expect(bodyOf('kms', 'ListGrants', grants)).toBe(
      '{"Grants":[{"Constraints":{"EncryptionContextSubset":{"__proto__":"p","a":"b"}}}]}',
    );
  });
  it('never shows what the model lacks', () => {
    expect(bodyOf('kms', 'GenerateRandom', { Plaintext: 'AA==', secret: 's' })).toBe('{"Plaintext":"AA=="}');
    expect(bodyOf('ec2', 'CreateVolume', { VolumeId: 'v', secret: 's' })).not.toContain('secret');
  });
  it.each([
    ['kms', 'GenerateRandom', { Plaintext: Buffer.from('x') }],
    ['kms', 'DescribeKey', { KeyMetadata: { CreationDate: 'yesterday' } }],
    ['kms', 'ListKeys', { Keys: {} }],
    ['ec2', 'CreateVolume', { Size: '8' }],
    ['ec2', 'CreateVolume', { CreateTime: 'yesterday' }],
    ['ec2', 'DescribeVolumes', { Volumes: [null] }],
    ['ebs', 'GetSnapshotBlock', { DataLength: 1 }],
    ['ebs', 'PutSnapshotBlock', { Checksum: {} }],
  ] as const)('of another type than the model says is the server’s fault: %s %s %j', (service, operation, output) => {
    expect(() => serializeResponse(service, operation, output, context)).toThrow(
      /answer has|answer lacks|Invalid time value/,
    );
  });
  it('of EBS direct has its status, headers and bytes', () => {
    const payload = Buffer.from([0, 255]);
    const block = serializeResponse(
      'ebs',
      'GetSnapshotBlock',
      { DataLength: 2, Checksum: 'c', ChecksumAlgorithm: 'SHA256' },
      { ...context, payload },
    );
    expect(block.status).toBe(200);
    expect(block.body).toEqual(payload);
    expect(block.headers).toMatchObject({
      'x-amz-data-length': '2',
      'x-amz-checksum': 'c',
      'x-amz-checksum-algorithm': 'SHA256',
    });
    expect(serializeResponse('ebs', 'StartSnapshot', {}, context).status).toBe(201);
    expect(serializeResponse('ebs', 'CompleteSnapshot', { Status: 'pending' }, context)).toMatchObject({
      status: 202,
      body: Buffer.from('{"Status":"pending"}'),
    });
  });
});

describe('an error', () => {
  it('of EC2', () => {
    expect(errorOf('ec2', { code: 'InvalidParameterValue', message: 'a < b' })).toMatchObject({
      status: 400,
      body: '<Response><Errors><Error><Code>InvalidParameterValue</Code><Message>a &lt; b</Message></Error></Errors><RequestID>id-1</RequestID></Response>',
    });
  });
  it('of STS and IAM says whose fault it is', () => {
    expect(errorOf('iam', { code: 'NoSuchEntity', message: 'm' })).toMatchObject({
      status: 404,
      body:
        '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>NoSuchEntity</Code>' +
        '<Message>m</Message></Error><RequestId>id-1</RequestId></ErrorResponse>',
    });
    expect(errorOf('sts', { code: 'InternalFailure' }).body).toContain('<Type>Receiver</Type>');
  });
  it('of KMS, with and without a message', () => {
    expect(errorOf('kms', { code: 'DisabledException', message: 'm' })).toMatchObject({
      status: 400,
      body: '{"__type":"DisabledException","message":"m"}',
    });
    expect(errorOf('kms', { code: 'InvalidCiphertextException' }).body).toBe('{"__type":"InvalidCiphertextException"}');
    expect(errorOf('kms', accessDenied('kms', 'no'))).toMatchObject({
      status: 400,
      body: '{"__type":"AccessDeniedException","Message":"no"}',
    });
  });
  it('of EBS direct, with its reason', () => {
    const error = { code: 'ResourceNotFoundException', message: 'm', members: { Reason: 'SNAPSHOT_NOT_FOUND' } };
    expect(errorOf('ebs', error)).toMatchObject({
      status: 404,
      headers: { 'x-amzn-errortype': 'ResourceNotFoundException' },
      body: '{"Reason":"SNAPSHOT_NOT_FOUND","Message":"m"}',
    });
  });
  it('of no service that can be told', () => {
    expect(errorOf(null, { code: 'UnknownOperationException', status: 404 })).toMatchObject({ status: 404 });
  });
  it('may name its own status', () => {
    expect(errorOf('ec2', { code: 'AuthFailure', message: 'Not authorized', status: 403 }).status).toBe(403);
  });
  it.each([
    ['ec2', 'DryRunOperation', 412],
    ['ec2', 'UnauthorizedOperation', 403],
    ['ec2', 'AuthFailure', 401],
    ['ec2', 'RequestLimitExceeded', 503],
    ['ec2', 'InternalError', 500],
    ['ec2', 'InvalidVolume.NotFound', 400],
    ['ec2', 'constructor', 400],
    ['sts', 'AccessDenied', 403],
    ['iam', 'DeleteConflict', 409],
    ['iam', 'ValidationError', 400],
    ['kms', 'NotFoundException', 400],
    ['kms', 'KMSInternalException', 500],
    ['kms', 'DependencyTimeoutException', 503],
    ['kms', 'AlreadyExistsException', 400],
    ['ebs', 'ServiceQuotaExceededException', 402],
    ['ebs', 'ConflictException', 409],
    ['ebs', 'RequestThrottledException', 400],
    ['ebs', 'ThrottlingException', 400],
    ['ebs', 'InvalidSignatureException', 403],
    ['ebs', 'InternalServerException', 500],
    ['ebs', 'UnknownOperationException', 404],
  ] as const)('%s %s has status %i', (service, code, status) => {
    expect(errorOf(service, { code }).status).toBe(status);
  });
  it('says that an operation is not supported in the protocol’s own words', () => {
    const codes = (['ec2', 'iam', 'kms', 'ebs'] as const).map((service) => unsupportedOperation(service, 'X').code);
    expect(codes).toEqual([
      'UnsupportedOperation',
      'UnsupportedOperation',
      'UnsupportedOperationException',
      'UnsupportedOperationException',
    ]);
  });
});

describe('XML text', () => {
  it('is escaped, and what XML cannot carry is replaced', () => {
    expect(escapeXml('<a & "b">\'\r\n\u0000\uFFFF')).toBe('&lt;a &amp; &quot;b&quot;&gt;&apos;&#xD;\n\uFFFD\uFFFD');
    expect(escapeXml('😀\uD800')).toBe('😀\uFFFD');
  });
  it('never opens a tag or an entity of its own', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(escapeXml(text)).not.toMatch(/[<>]|&(?!(?:amp|lt|gt|quot|apos|#xD);)/);
      }),
    );
  });
});
