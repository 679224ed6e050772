import {
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
  GetEbsEncryptionByDefaultCommand,
} from '@aws-sdk/client-ec2';
import { DescribeKeyCommand, ListAliasesCommand, ListGrantsCommand, ListKeysCommand } from '@aws-sdk/client-kms';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientsFor } from './clients.ts';
import { type Stack, startStack } from './stack.ts';
import { Terraform, terraformPlugins } from './terraform.ts';

const ACCOUNT = '123456789012';
/** `short`, or `whole` for the rest of the example, and what is made of it. Absent: a minute and more of every run is too much. */
const asked = process.env['HOLDFAST_TEST_TERRAFORM'];
const whole = asked === 'whole';
/** The provider waits ten seconds before it looks at an instance, a volume or an attachment for the first time. */
const TIMEOUT_MS = 900_000;

const plugins = asked === undefined ? '' : await terraformPlugins();
if (asked === undefined)
  process.stderr.write("NOT RUN: Terraform's AWS provider; HOLDFAST_TEST_TERRAFORM=short, or whole, runs it\n");

describe.runIf(asked !== undefined)("Terraform's AWS provider", () => {
  let stack: Stack;
  let terraform: Terraform | undefined;
  beforeAll(async () => {
    stack = await startStack();
    terraform = await Terraform.start(plugins, stack.endpoint, whole);
  }, TIMEOUT_MS);
  afterAll(async () => {
    await terraform?.remove();
    await stack.stop();
  });

  it(
    'makes what is described, sees no difference, changes it in place, and leaves nothing behind',
    async () => {
      if (terraform === undefined) throw new Error('Terraform did not start');
      const { ec2, kms } = clientsFor(stack.endpoint, ACCOUNT);
      expect(await terraform.apply()).toMatch(/Resources: \d+ added, 0 changed, 0 destroyed/);
      expect(await terraform.plan()).toBeNull();
      expect(await terraform.output('word')).toBe('xyzzy');
      const keyArn = await terraform.output('key');
      if (whole) await access(join(stack.home, await terraform.output('device')));
      const { Volumes = [] } = await ec2.send(new DescribeVolumesCommand({}));
      expect(new Set(Volumes.map(({ Encrypted, KmsKeyId }) => [Encrypted, KmsKeyId].join()))).toEqual(
        new Set([`true,${keyArn}`]),
      );

      const changed = { changed: 'true' };
      expect(await terraform.apply(changed)).toMatch(/Resources: 0 added, [1-9]\d* changed, 0 destroyed/);
      expect(await terraform.plan(changed)).toBeNull();

      await terraform.destroy();
      expect((await ec2.send(new DescribeVolumesCommand({}))).Volumes).toEqual([]);
      expect((await ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'] }))).Snapshots).toEqual([]);
      expect((await ec2.send(new DescribeImagesCommand({ Owners: ['self'] }))).Images).toEqual([]);
      const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({}));
      const states = Reservations.flatMap(({ Instances = [] }) => Instances.map(({ State }) => State?.Name));
      expect(new Set(states)).toEqual(new Set(['terminated']));
      expect((await ec2.send(new GetEbsEncryptionByDefaultCommand({}))).EbsEncryptionByDefault).toBe(false);
      expect((await kms.send(new ListGrantsCommand({ KeyId: keyArn }))).Grants).toEqual([]);
      const { Aliases = [] } = await kms.send(new ListAliasesCommand({}));
      expect(Aliases.filter(({ AliasName = '' }) => !AliasName.startsWith('alias/aws/'))).toEqual([]);
      const { Keys = [] } = await kms.send(new ListKeysCommand({}));
      for (const { KeyId = '' } of Keys) {
        const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId }));
        if (KeyMetadata?.KeyManager === 'CUSTOMER') expect(KeyMetadata.KeyState).toBe('PendingDeletion');
      }
    },
    TIMEOUT_MS,
  );
});
