import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DeleteVolumeCommand, DescribeVolumesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { answer } from './testing/readme-example.ts';

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { method = '', url = '', headersDistinct: headers } = request;
    void answer({ method, url, headers, body: Buffer.concat(chunks) }).then(({ status, headers: sent, body }) => {
      response.writeHead(status, sent).end(body);
    });
  });
});
beforeAll(() => new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve)));
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

it("the README's example answers a real client", async () => {
  const { port } = server.address() as AddressInfo;
  const client = new EC2Client({
    endpoint: `http://127.0.0.1:${String(port)}`,
    region: 'eu-central-1',
    credentials: { accessKeyId: '123456789012', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
  const { Volumes } = await client.send(new DescribeVolumesCommand({ VolumeIds: ['vol-1'] }));
  expect(Volumes).toEqual([{ VolumeId: 'vol-1', State: 'available', Size: 8, Attachments: [] }]);
  await expect(client.send(new DeleteVolumeCommand({ VolumeId: 'vol-1' }))).rejects.toMatchObject({
    name: 'UnauthorizedOperation',
    $metadata: { httpStatusCode: 403 },
  });
});

it('the README shows the example as it is', () => {
  const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
  const shown = /```ts\n([\s\S]*?)```/.exec(read('../README.md'))?.[1];
  expect(shown).toBe(read('./testing/readme-example.ts').replace("'../index.ts'", "'@holdfast/aws-protocol'"));
});
