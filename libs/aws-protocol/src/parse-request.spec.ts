import { describe, expect, it } from 'vitest';
import { parseRequest, type ParsedRequest } from './parse-request.ts';
import { formRequest, jsonRequest, refusal, restRequest } from './testing/requests.ts';

const ec2 = (form: string): ParsedRequest => parseRequest(formRequest('ec2', form));
const iam = (form: string): ParsedRequest => parseRequest(formRequest('iam', form));
const kms = (operation: string, input: unknown): ParsedRequest =>
  parseRequest(jsonRequest(`TrentService.${operation}`, JSON.stringify(input)));
const ebs = (method: string, url: string, headers: Record<string, string> = {}, body = ''): ParsedRequest =>
  parseRequest(restRequest(method, url, headers, body));

describe('finding the service', () => {
  it('goes by the credential scope first', () => {
    const request = formRequest('sts', 'Action=GetCallerIdentity&Version=2016-11-15');
    expect(parseRequest(request)).toMatchObject({ service: 'sts', operation: 'GetCallerIdentity' });
  });
  it('falls back to target, path and version', () => {
    expect(parseRequest(jsonRequest('TrentService.ListKeys', ''))).toMatchObject({
      service: 'kms',
      operation: 'ListKeys',
    });
    const long = 'com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents';
    expect(parseRequest(jsonRequest(long, '{}'))).toMatchObject({ service: 'cloudtrail', operation: 'LookupEvents' });
    expect(ebs('GET', '/snapshots/snap-1/blocks')).toMatchObject({ service: 'ebs', operation: 'ListSnapshotBlocks' });
    const form = Buffer.from('Action=ListUsers&Version=2010-05-08');
    expect(parseRequest({ method: 'POST', url: '/', headers: {}, body: form })).toMatchObject({ service: 'iam' });
    expect(
      parseRequest({
        method: 'GET',
        url: '/?Action=DescribeRegions&Version=2016-11-15',
        headers: {},
        body: Buffer.alloc(0),
      }),
    ).toMatchObject({
      service: 'ec2',
      operation: 'DescribeRegions',
    });
  });
  it('refuses what names none', () => {
    const request = { method: 'GET', url: '/favicon.ico', headers: {}, body: Buffer.alloc(0) };
    expect(refusal(() => parseRequest(request)).code).toBe('UnknownOperationException');
  });
});

describe('an operation', () => {
  it.each([
    [
      'ec2',
      () => ec2('Action=MakeCoffee'),
      'InvalidAction',
      'The action MakeCoffee is not valid for this web service.',
    ],
    [
      'iam',
      () => iam('Action=MakeCoffee'),
      'InvalidAction',
      'The action MakeCoffee is not valid for this web service.',
    ],
    ['ec2', () => ec2('Action=__proto__'), 'InvalidAction', 'The action __proto__ is not valid for this web service.'],
    ['ec2', () => ec2('Size=1'), 'MissingAction', 'The request is missing an action or a required parameter.'],
    ['kms', () => kms('MakeCoffee', {}), 'UnknownOperationException', ''],
    ['ebs', () => ebs('DELETE', '/snapshots/snap-1'), 'UnknownOperationException', ''],
    ['ec2', () => ec2('Action=ModifyHosts'), 'UnsupportedOperation', 'The operation ModifyHosts is not supported.'],
    [
      'iam',
      () => iam('Action=CreateVirtualMFADevice'),
      'UnsupportedOperation',
      'The operation CreateVirtualMFADevice is not supported.',
    ],
    [
      'cloudtrail',
      () => parseRequest(jsonRequest('CloudTrail_20131101.CreateTrail', '{}')),
      'UnsupportedOperationException',
      'The operation CreateTrail is not supported.',
    ],
  ])('of %s that is unknown, missing or unsupported is told apart (%#)', (_, run, code, message) => {
    expect(refusal(run)).toMatchObject({ code, message });
  });
});

describe('EC2 parameters', () => {
  it('keep the order of their indexes, whatever the order on the wire, and collapse gaps', () => {
    const form = 'Action=DescribeVolumes&VolumeId.10=c&VolumeId.2=b&VolumeId.1=a&Filter.3.Name=n&Filter.3.Value.7=v';
    expect(ec2(form).input).toEqual({ VolumeIds: ['a', 'b', 'c'], Filters: [{ Name: 'n', Values: ['v'] }] });
  });
  it('have names of their own', () => {
    const form = 'Action=DescribeSnapshots&Owner.1=self&RestorableBy.1=all&SnapshotId.1=snap-1&DryRun=true';
    expect(ec2(form).input).toEqual({
      OwnerIds: ['self'],
      RestorableByUserIds: ['all'],
      SnapshotIds: ['snap-1'],
      DryRun: true,
    });
    const shared = 'Action=ModifySnapshotAttribute&SnapshotId=s&CreateVolumePermission.Add.2.Group=all&UserGroup.1=all';
    expect(ec2(shared).input).toEqual({
      SnapshotId: 's',
      CreateVolumePermission: { Add: [{ Group: 'all' }] },
      GroupNames: ['all'],
    });
  });
  it('are decoded with + and %20 as spaces', () => {
    expect(ec2('Action=CreateSnapshot&VolumeId=v&Description=a+b%20c%2B').input).toMatchObject({
      Description: 'a b c+',
    });
  });
  it('may come in the query string', () => {
    const request = { ...formRequest('ec2', ''), url: '/?Action=DescribeVolumes&VolumeId.1=a&X-Amz-Expires=60' };
    expect(parseRequest(request).input).toEqual({ VolumeIds: ['a'] });
  });
  it('are normalised: timestamps to UTC with milliseconds', () => {
    const form = 'Action=DescribeImages&IncludeDeprecated=true&Version=1999-01-01';
    expect(ec2(form).input).toEqual({ IncludeDeprecated: true });
    const lock = 'Action=LockSnapshot&SnapshotId=s&LockMode=governance&ExpirationDate=2030-01-01T00:00:00%2B01:00';
    expect(ec2(lock).input).toMatchObject({ ExpirationDate: '2029-12-31T23:00:00.000Z' });
  });
  it('of enums are left to the operation', () => {
    expect(ec2('Action=CreateVolume&VolumeType=floppy').input).toEqual({ VolumeType: 'floppy' });
  });

  it.each([
    ['Foo=1', 'UnknownParameter', 'The parameter Foo is not recognized'],
    ['__proto__=1', 'UnknownParameter', 'The parameter __proto__ is not recognized'],
    ['constructor.prototype=1', 'UnknownParameter', 'The parameter constructor is not recognized'],
    ['VolumeIds.1=v', 'UnknownParameter', 'The parameter VolumeIds is not recognized'],
    ['VolumeId.member.1=v', 'UnknownParameter', 'The parameter VolumeId.member is not recognized'],
    ['VolumeId.01=v', 'UnknownParameter', 'The parameter VolumeId.01 is not recognized'],
    ['Filter.1.Nome=v', 'UnknownParameter', 'The parameter Filter.1.Nome is not recognized'],
    ['DryRun.1=true', 'UnknownParameter', 'The parameter DryRun.1 is not recognized'],
    ['DryRun=yes', 'InvalidParameterValue', "Value (yes) for parameter dryRun is invalid. Expected 'true' or 'false'."],
    ['DryRun=', 'InvalidParameterValue', "Value () for parameter dryRun is invalid. Expected 'true' or 'false'."],
    ['MaxResults=1.5', 'InvalidParameterValue', 'Value (1.5) for parameter maxResults is invalid. Expected a number.'],
    [
      'MaxResults=0x10',
      'InvalidParameterValue',
      'Value (0x10) for parameter maxResults is invalid. Expected a number.',
    ],
    [
      'MaxResults=2147483648',
      'InvalidParameterValue',
      'Value (2147483648) for parameter maxResults is invalid. Expected a number.',
    ],
    ['VolumeId=v', 'InvalidParameterValue', 'Value (v) for parameter volumeId is invalid. Expected a list.'],
    ['Filter.1=v', 'InvalidParameterValue', 'Value (v) for parameter filter.1 is invalid. Expected a structure.'],
    ['NextToken=a&NextToken=b', 'MalformedQueryString', 'The parameter NextToken may only be specified once.'],
    ['NextToken=%zz', 'MalformedQueryString', 'The query string contains a malformed escape.'],
    ['NextToken=%ff', 'MalformedQueryString', 'The query string contains a malformed escape.'],
    ['NextToken=%01', 'InvalidCharacter', 'A specified character is invalid.'],
    [`${'A.'.repeat(20)}B=1`, 'MalformedQueryString', 'The query string nests too deeply.'],
  ])('refuse %s', (parameters, code, message) => {
    expect(refusal(() => ec2(`Action=DescribeVolumes&${parameters}`))).toEqual({ code, message, status: undefined });
  });
  it('are bounded in number', () => {
    const many = Array.from({ length: 20_001 }, (_, i) => `VolumeId.${String(i + 1)}=v`).join('&');
    expect(refusal(() => ec2(`Action=DescribeVolumes&${many}`)).code).toBe('MalformedQueryString');
  });
  it.each([
    ['Action=ModifyVolume', 'VolumeId'],
    ['Action=ModifyVolume&VolumeId=', 'VolumeId'],
    ['Action=CreateTags&Tag.1.Key=k', 'ResourceId'],
    ['Action=CopySnapshot&SourceRegion=eu-central-1', 'SourceSnapshotId'],
  ])('that are required: %s', (form, name) => {
    expect(refusal(() => ec2(form))).toMatchObject({
      code: 'MissingParameter',
      message: `The request must contain the parameter ${name}`,
    });
  });
  it('that are required and that AWS checks later are left to the service', () => {
    expect(ec2('Action=DescribeVolumeAttribute').input).toEqual({});
    expect(ec2('Action=DeleteVolume').input).toEqual({});
  });
});

describe('STS and IAM parameters', () => {
  it('have members, may be empty lists, and are ignored when unknown', () => {
    const form =
      'Action=SimulateCustomPolicy&PolicyInputList.member.1=%7B%7D&ActionNames.member.2=ec2:b&ActionNames.member.1=ec2:a&Odd=1&ResourceArns=';
    expect(iam(form).input).toEqual({ PolicyInputList: ['{}'], ActionNames: ['ec2:a', 'ec2:b'], ResourceArns: [] });
  });
  it('are refused when malformed', () => {
    expect(refusal(() => iam('Action=ListUsers&MaxItems=many')).code).toBe('MalformedInput');
    expect(refusal(() => iam('Action=SimulateCustomPolicy&ActionNames=a')).code).toBe('MalformedInput');
  });
  it('are validated in the words of the model', () => {
    const { code, message } = refusal(() => iam('Action=CreateUser&UserName=a%20b&Path=x'));
    expect(code).toBe('ValidationError');
    expect(message).toBe(
      "2 validation errors detected: Value 'a b' at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+; " +
        "Value 'x' at 'path' failed to satisfy constraint: Member must satisfy regular expression pattern: (\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)",
    );
  });
  it('that are too many structures are named, not quoted', () => {
    const tags = Array.from({ length: 51 }, (_, n) => `&Tags.member.${String(n + 1)}.Key=k${String(n)}&Tags.member.${String(n + 1)}.Value=v`); // prettier-ignore
    expect(refusal(() => iam(`Action=CreateUser&UserName=a${tags.join('')}`)).message).toBe(
      "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50",
    );
  });
  it('that are missing', () => {
    expect(refusal(() => iam('Action=CreateUser')).message).toContain(
      "Value null at 'userName' failed to satisfy constraint: Member must not be null",
    );
  });
});

describe('JSON input', () => {
  it('keeps every key of a map, __proto__ too', () => {
    const body = '{"KeyId":"k","Plaintext":"AAEC","EncryptionContext":{"__proto__":"p","constructor":"c","a":"b"}}';
    const { input } = parseRequest(jsonRequest('TrentService.Encrypt', body));
    const context = input['EncryptionContext'] as Record<string, string>;
    expect(Object.entries(context)).toEqual([
      ['__proto__', 'p'],
      ['constructor', 'c'],
      ['a', 'b'],
    ]);
    expect(Object.getPrototypeOf(context)).toBeNull();
    expect(JSON.stringify(input['EncryptionContext'])).toBe('{"__proto__":"p","constructor":"c","a":"b"}');
  });
  it('takes null for absent and ignores what the model lacks', () => {
    expect(kms('ListKeys', { Limit: null, Marker: 'm', Other: 1 }).input).toEqual({ Marker: 'm' });
  });
  it('has timestamps in epoch seconds', () => {
    const { input } = parseRequest(jsonRequest('CloudTrail_20131101.LookupEvents', '{"StartTime":1704067200.5}'));
    expect(input).toEqual({ StartTime: '2024-01-01T00:00:00.500Z' });
  });
  it.each([
    ['{', 'Unable to parse the request body as JSON.'],
    ['\ufffd{', 'Unable to parse the request body as JSON.'],
    ['[]', 'Start of list found where not expected'],
    ['"a"', 'STRING_VALUE can not be converted to Structure'],
    ['{"KeyId":1}', 'NUMBER_VALUE can not be converted to String'],
    ['{"KeyId":true}', 'TRUE_VALUE can not be converted to String'],
    ['{"KeyId":["a"]}', 'Start of list found where not expected'],
    ['{"KeyId":{}}', 'Start of structure or map found where not expected.'],
    ['{"NumberOfBytes":"64"}', 'STRING_VALUE can not be converted to Integer'],
    ['{"NumberOfBytes":1.5}', 'NUMBER_VALUE can not be converted to Integer'],
    ['{"NumberOfBytes":4294967296}', 'NUMBER_VALUE can not be converted to Integer'],
    ['{"EncryptionContext":[]}', 'Start of list found where not expected'],
    ['{"EncryptionContext":{"a":1}}', 'NUMBER_VALUE can not be converted to String'],
    ['{"GrantTokens":"a"}', 'STRING_VALUE can not be converted to List'],
    ['{"Recipient":"a"}', 'STRING_VALUE can not be converted to Structure'],
    ['{"Recipient":{"AttestationDocument":"%"}}', 'STRING_VALUE can not be converted to ByteBuffer'],
  ])('of the wrong form is a SerializationException: %s', (body, message) => {
    const run = () => parseRequest(jsonRequest('TrentService.GenerateDataKey', body));
    expect(refusal(run)).toMatchObject({ code: 'SerializationException', message });
  });
  it('that is not UTF-8 is refused', () => {
    const body = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]);
    expect(refusal(() => parseRequest(jsonRequest('TrentService.ListKeys', body))).code).toBe('SerializationException');
  });

  const long = 'x'.repeat(2049);
  it.each([
    [
      'ScheduleKeyDeletion',
      { KeyId: 'k', PendingWindowInDays: 0 },
      "Value '0' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value greater than or equal to 1",
    ],
    [
      'GenerateRandom',
      { NumberOfBytes: 1025 },
      "Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024",
    ],
    [
      'DescribeKey',
      { KeyId: long },
      `Value '${long}' at 'keyId' failed to satisfy constraint: Member must have length less than or equal to 2048`,
    ],
    [
      'DescribeKey',
      { KeyId: '' },
      "Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ],
    ['DescribeKey', {}, "Value null at 'keyId' failed to satisfy constraint: Member must not be null"],
    [
      'CreateAlias',
      { AliasName: 'alias/a b', TargetKeyId: 'k' },
      "Value 'alias/a b' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
    ],
    [
      'Encrypt',
      { KeyId: 'k', Plaintext: Buffer.alloc(4097).toString('base64') },
      "Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
    ],
    [
      'CreateKey',
      {
        Tags: [
          { TagKey: 'a', TagValue: 'b' },
          { TagKey: 'k'.repeat(129), TagValue: '' },
        ],
      },
      `Value '${'k'.repeat(129)}' at 'tags.2.member.tagKey' failed to satisfy constraint: Member must have length less than or equal to 128`,
    ],
    [
      'CreateGrant',
      { KeyId: 'k', GranteePrincipal: 'p', Operations: ['Eat'] },
      "Value '[Eat]' at 'operations' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [CreateGrant, ",
    ],
    [
      'DescribeKey',
      { KeyId: 'k', GrantTokens: Array(11).fill('t') },
      `Value '[${Array(11).fill('t').join(', ')}]' at 'grantTokens' failed to satisfy constraint: Member must have length less than or equal to 10`,
    ],
  ])('is validated: %s (%#)', (operation, input, text) => {
    const { code, message } = refusal(() => kms(operation, input));
    expect(code).toBe('ValidationException');
    expect(message).toContain(`1 validation error detected: ${text}`);
  });
  it('has its enums checked', () => {
    const { message } = refusal(() => kms('CreateKey', { KeyUsage: 'FUN', Origin: 'MARS' }));
    expect(message).toMatch(
      /^2 validation errors detected: Value 'FUN' at 'keyUsage' failed to satisfy constraint: Member must satisfy enum value set: \[[A-Z_, ]+\]; Value 'MARS' at 'origin'/,
    );
  });
  it('of exactly the allowed length passes', () => {
    expect(
      kms('Encrypt', { KeyId: 'k'.repeat(2048), Plaintext: Buffer.alloc(4096).toString('base64') }).operation,
    ).toBe('Encrypt');
  });
  it('with a great many faults has a bounded answer', () => {
    const tags = Array.from({ length: 5000 }, () => ({ TagKey: '', TagValue: '' }));
    expect(refusal(() => kms('CreateKey', { Tags: tags })).message.length).toBeLessThan(20_000);
  });
});

describe('EBS direct input', () => {
  it.each([
    ['blank', '%20'],
    ['empty', ''],
  ])('with a first snapshot that is %s is refused as recorded', (_, id) => {
    const message = 'First snapshot should not be empty or null';
    const list = () => ebs('GET', `/snapshots/snap-2/changedblocks?firstSnapshotId=${id}`);
    expect(refusal(list)).toMatchObject({ code: 'ValidationException', message });
    expect(ebs('GET', '/snapshots/snap-2/changedblocks').input).toEqual({ SecondSnapshotId: 'snap-2' });
    const malformed = refusal(() => ebs('GET', '/snapshots/snap-2/changedblocks?firstSnapshotId=x'));
    expect(malformed.message).toContain("Value 'x' at 'firstSnapshotId' failed to satisfy constraint");
  });
  it.each([
    ['PUT', '/snapshots/snap-1/blocks/7'],
    ['POST', '/snapshots/completion/snap-1'],
  ])('with another checksum algorithm than SHA256 is refused as recorded: %s %s', (method, url) => {
    expect(refusal(() => ebs(method, url, { 'x-amz-checksum-algorithm': 'MD5' }))).toMatchObject({
      code: 'ValidationException',
      message: "Unsupported Checksum Algorithm 'MD5', supported algorithms are SHA256",
    });
  });
  it('comes from path, query and headers', () => {
    expect(
      ebs('GET', '/snapshots/snap-2/changedblocks?firstSnapshotId=snap-1&maxResults=100&startingBlockIndex=3').input,
    ).toEqual({
      SecondSnapshotId: 'snap-2',
      FirstSnapshotId: 'snap-1',
      MaxResults: 100,
      StartingBlockIndex: 3,
    });
    const headers = { 'x-amz-data-length': '3', 'x-amz-checksum': 'AA==', 'x-amz-checksum-algorithm': 'SHA256' };
    const put = ebs('PUT', '/snapshots/snap-1/blocks/7', headers, 'abc');
    expect(put).toMatchObject({
      operation: 'PutSnapshotBlock',
      input: { SnapshotId: 'snap-1', BlockIndex: 7, DataLength: 3, Checksum: 'AA==', ChecksumAlgorithm: 'SHA256' },
    });
    expect(put.input).not.toHaveProperty('BlockData');
    expect(put.payload?.toString()).toBe('abc');
  });
  it('takes no payload that is encoded', () => {
    const headers = { 'x-amz-data-length': '3', 'x-amz-checksum': 'AA==', 'x-amz-checksum-algorithm': 'SHA256' };
    const put = (encoding: string) => ebs('PUT', '/snapshots/snap-1/blocks/7', { ...headers, 'content-encoding': encoding }, 'abc'); // prettier-ignore
    expect(put('identity').payload?.toString()).toBe('abc');
    for (const encoding of ['gzip', 'aws-chunked'])
      expect(() => put(encoding)).toThrow(expect.objectContaining({ members: { Reason: 'INVALID_CONTENT_ENCODING' } }));
  });
  it('tells /snapshots/completion/{id} from a snapshot named completion', () => {
    const complete = ebs('POST', '/snapshots/completion/snap-1', { 'x-amz-changedblockscount': '2' });
    expect(complete).toMatchObject({
      operation: 'CompleteSnapshot',
      input: { SnapshotId: 'snap-1', ChangedBlocksCount: 2 },
    });
  });
  it('comes from a JSON body', () => {
    expect(ebs('POST', '/snapshots', {}, '{"VolumeSize":8,"Tags":[{"Key":"k"}],"Encrypted":true}').input).toEqual({
      VolumeSize: 8,
      Tags: [{ Key: 'k' }],
      Encrypted: true,
    });
  });
  it.each([
    ['GET', '/snapshots/snap-1/blocks/x?blockToken=AA', 'ValidationException'],
    ['GET', '/snapshots/snap-1/blocks/-1?blockToken=AA', 'ValidationException'],
    ['GET', '/snapshots/snap-1/blocks/1', 'ValidationException'],
    ['GET', '/snapshots/snap-1/blocks?maxResults=99', 'ValidationException'],
    ['GET', '/snapshots/vol-1/blocks', 'ValidationException'],
    ['GET', '/snapshots/snap-1/blocks?maxResults=%zz', 'ValidationException'],
    ['GET', '/snapshots//blocks', 'UnknownOperationException'],
    ['GET', '/snapshots/%zz/blocks', 'UnknownOperationException'],
    ['POST', '/snapshots', 'ValidationException'],
  ])('is refused: %s %s', (method, url, code) => {
    expect(refusal(() => ebs(method, url)).code).toBe(code);
  });
});
