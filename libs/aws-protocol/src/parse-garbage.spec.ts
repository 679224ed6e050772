import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { parseRequest } from './parse-request.ts';
import { formRequest, jsonRequest, refusal, restRequest } from './testing/requests.ts';

// Thousands of cases: seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

describe('whatever arrives', () => {
  const samples = [
    formRequest(
      'ec2',
      'Action=CreateVolume&AvailabilityZone=a&Size=8&Encrypted=true&TagSpecification.1.ResourceType=volume&TagSpecification.1.Tag.1.Key=k&DryRun=false',
    ),
    formRequest(
      'ec2',
      'Action=RunInstances&MinCount=1&MaxCount=2&BlockDeviceMapping.1.Ebs.VolumeSize=8&BlockDeviceMapping.1.Ebs.Encrypted=true',
    ),
    formRequest('iam', 'Action=SimulateCustomPolicy&PolicyInputList.member.1=%7B%7D&ActionNames.member.1=ec2:a'),
    formRequest(
      'sts',
      'Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=session&DurationSeconds=900',
    ),
    jsonRequest(
      'TrentService.Encrypt',
      '{"KeyId":"k","Plaintext":"AAEC","EncryptionContext":{"a":"b"},"GrantTokens":["t"]}',
    ),
    jsonRequest(
      'TrentService.CreateGrant',
      '{"KeyId":"k","GranteePrincipal":"p","Operations":["Encrypt"],"Constraints":{"EncryptionContextSubset":{"a":"b"}}}',
    ),
    jsonRequest(
      'CloudTrail_20131101.LookupEvents',
      '{"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"x"}],"StartTime":1704067200}',
    ),
    restRequest('POST', '/snapshots', {}, '{"VolumeSize":8,"Tags":[{"Key":"k","Value":"v"}]}'),
    restRequest(
      'PUT',
      '/snapshots/snap-1/blocks/7',
      { 'x-amz-data-length': '3', 'x-amz-checksum': 'AA==', 'x-amz-checksum-algorithm': 'SHA256' },
      'abc',
    ),
  ];
  /** Parsed, or refused with an AwsError: `refusal` rethrows anything else. */
  const settle = (run: () => unknown): void => {
    refusal(() => {
      run();
      throw Object.assign(new Error(), { name: 'AwsError', code: 'none' });
    });
  };
  it('the samples are good', () => {
    expect(samples.map((sample) => parseRequest(sample).operation)).toHaveLength(samples.length);
  });
  it('truncated at each byte', () => {
    for (const sample of samples) {
      for (let end = 0; end <= sample.body.length; end++)
        settle(() => parseRequest({ ...sample, body: sample.body.subarray(0, end) }));
      for (let end = 0; end <= sample.url.length; end++)
        settle(() => parseRequest({ ...sample, url: sample.url.slice(0, end) }));
    }
  });
  it('with bytes changed', () => {
    const change = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(fc.constantFrom(...samples), fc.array(change, { minLength: 1, maxLength: 8 }), (sample, changes) => {
        const body = Buffer.from(sample.body);
        for (const { at, byte } of changes) if (body.length > 0) body[at % body.length] = byte;
        settle(() => parseRequest({ ...sample, body }));
      }),
      { numRuns: 2000 },
    );
  });
  it('or at random', () => {
    const headers = fc.dictionary(
      fc.constantFrom('authorization', 'x-amz-target', 'content-type', '__proto__'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.string(), fc.webPath(), headers, fc.uint8Array(), (method, url, random, bytes) => {
        settle(() => parseRequest({ method, url, headers: random, body: Buffer.from(bytes) }));
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.constantFrom('Encrypt', 'CreateGrant', 'CreateKey', 'ListKeys'), fc.json(), (operation, body) => {
        settle(() => parseRequest(jsonRequest(`TrentService.${operation}`, body)));
      }),
      { numRuns: 1000 },
    );
    const key = fc.array(
      fc.constantFrom('Filter', '1', '2', 'Name', 'Value', 'VolumeId', '__proto__', 'constructor', 'DryRun', ''),
      { maxLength: 14 },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.string()), { maxLength: 10 }), (pairs) => {
        const form = pairs.map(([parts, value]) => `${parts.join('.')}=${encodeURIComponent(value)}`).join('&');
        settle(() => parseRequest(formRequest('ec2', `Action=DescribeVolumes&${form}`)));
      }),
      { numRuns: 1000 },
    );
    expect(({} as Record<string, unknown>)['Name']).toBeUndefined();
  });
  it('nested deeply', () => {
    const body = `{"KeyId":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    settle(() => parseRequest(jsonRequest('TrentService.DescribeKey', body)));
  });
});
