import { readFileSync, rmSync } from 'node:fs';
import { isAlive } from '@holdfast/embedded';
import { z } from 'zod';
import { UserError } from './errors.ts';
import { homePaths, writePrivateFile } from './home.ts';

const schema = z.object({
  pid: z.number(),
  startedAt: z.string(),
  mode: z.literal('development'),
  endpoint: z.string(),
  home: z.string(),
  /** `url` is the superuser's. */
  postgres: z.object({ url: z.string(), port: z.number(), pid: z.number() }),
  /** No pid: a server that was running before us, given by NATS_URL. */
  nats: z.object({
    servers: z.string(),
    user: z.string().optional(),
    password: z.string().optional(),
    pid: z.number().optional(),
  }),
  databases: z.record(z.string(), z.object({ ownerUrl: z.string(), serviceUrl: z.string() })),
});

/** Where everything of a running stack is, for tools on the same machine. Holds passwords, so mode 0600. */
export type StackFile = z.infer<typeof schema>;

export const writeStackFile = (content: StackFile): void =>
  writePrivateFile(homePaths(content.home).stack, `${JSON.stringify(content, null, 2)}\n`);

export const removeStackFile = (home: string): void => rmSync(homePaths(home).stack, { force: true });

/** @throws UserError when no stack runs on this home. */
export const readStackFile = (home: string): StackFile => {
  const path = homePaths(home).stack;
  try {
    const content = schema.parse(JSON.parse(readFileSync(path, 'utf8')));
    if (isAlive(content.pid)) return content;
  } catch {
    // Falls through: absent, or a file of another version.
  }
  throw new UserError(`no stack runs on ${home}: start one with "npm start", or set HOLDFAST_HOME`);
};
