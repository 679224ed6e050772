import { z } from 'zod';
import type { S3Settings } from './s3-objects.ts';

/** The environment variables that say where blocks of snapshots are. */
export const blockStoreVariables = {
  HOLDFAST_BLOCK_STORE: z.string().min(1).optional(),
  HOLDFAST_S3_ENDPOINT: z.string().min(1).optional(),
  HOLDFAST_S3_REGION: z.string().min(1).optional(),
  HOLDFAST_S3_PATH_STYLE: z.enum(['yes', 'no']).optional(),
  HOLDFAST_S3_CA_FILE: z.string().min(1).optional(),
  HOLDFAST_S3_CREDENTIALS_FILE: z.string().min(1).optional(),
};

export type BlockStoreVariables = { readonly [Name in keyof typeof blockStoreVariables]?: string | undefined };

export const s3SettingsSchema = z.object({
  bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket'),
  prefix: z.string().regex(/^$|^[A-Za-z0-9!_.*'()/-]{1,512}\/$/, 'must be of letters, digits and -_./'),
  endpoint: z.url({ protocol: /^https?$/ }).optional(),
  region: z.string().min(1),
  pathStyle: z.boolean(),
  caFile: z.string().optional(),
  credentialsFile: z.string().optional(),
});

/**
 * `HOLDFAST_BLOCK_STORE` is `folder`, as is its absence, or `s3://<bucket>[/<prefix>]`.
 * @returns null: blocks are in a folder of the host. @throws Error naming the variable that makes no sense.
 */
export const blockStoreSettings = (values: BlockStoreVariables): S3Settings | null => {
  const { HOLDFAST_BLOCK_STORE: store = 'folder' } = values;
  if (store === 'folder') {
    const given = Object.keys(blockStoreVariables).filter(
      (name) => name.startsWith('HOLDFAST_S3_') && values[name as keyof BlockStoreVariables] !== undefined,
    );
    if (given.length > 0) throw new Error(`${given.join(', ')} without HOLDFAST_BLOCK_STORE=s3://… makes no sense`);
    return null;
  }
  const [, bucket, path = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(store) ?? [];
  if (bucket === undefined)
    throw new Error('HOLDFAST_BLOCK_STORE makes no sense: it must be folder, or s3://<bucket>/<prefix>');
  const prefix = path.replace(/^\/+|\/+$/g, '');
  const endpoint = values.HOLDFAST_S3_ENDPOINT;
  const settings = s3SettingsSchema.safeParse({
    ...{ bucket, prefix: prefix === '' ? '' : `${prefix}/`, endpoint },
    region: values.HOLDFAST_S3_REGION ?? 'us-east-1',
    // Few of the stores that one runs oneself have a host name for each bucket.
    pathStyle: (values.HOLDFAST_S3_PATH_STYLE ?? (endpoint === undefined ? 'no' : 'yes')) === 'yes',
    ...{ caFile: values.HOLDFAST_S3_CA_FILE, credentialsFile: values.HOLDFAST_S3_CREDENTIALS_FILE },
  });
  if (settings.success) return settings.data;
  const [issue] = settings.error.issues;
  const name = issue?.path[0] === 'endpoint' ? 'HOLDFAST_S3_ENDPOINT' : 'HOLDFAST_BLOCK_STORE';
  throw new Error(`${name} makes no sense: ${String(issue?.path[0])} ${issue?.message ?? ''}`);
};
