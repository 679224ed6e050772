import { z } from 'zod';
import type { ServiceEnvironment } from './types.ts';

/** The environment is wrong; `message` says in one line what to change. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

type Variables = Readonly<Record<string, string | undefined>>;

/** Variables that every service reads. */
export const serviceVariables = z.object({
  HOLDFAST_MODE: z.enum(['development', 'production']).default('production'),
  HOLDFAST_DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  HOLDFAST_MIGRATION_DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  HOLDFAST_NATS_URL: z.string().min(1).default('nats://127.0.0.1:4222'),
  HOLDFAST_NATS_USER: z.string().min(1).optional(),
  HOLDFAST_NATS_PASSWORD: z.string().optional(),
  HOLDFAST_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  HOLDFAST_LOG_FILE: z.string().min(1).optional(),
  HOLDFAST_HTTP_HOST: z.string().min(1).default('127.0.0.1'),
  HOLDFAST_HTTP_PORT: z.coerce.number().int().min(1).max(65_535).optional(),
});

/**
 * Parses the variables that `schema` names. An empty variable counts as absent.
 * @throws ConfigError naming every variable that is wrong, and every `HOLDFAST_*` variable that `schema` does not name:
 *   a setting that is misspelt must not be ignored.
 */
export const readConfig = <Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  variables: Variables,
): z.infer<z.ZodObject<Shape>> => {
  const set = Object.entries(variables).filter(([, value]) => value !== undefined && value !== '');
  const unknown = set.map(([name]) => name).filter((name) => name.startsWith('HOLDFAST_') && !(name in schema.shape));
  if (unknown.length > 0) {
    const known = Object.keys(schema.shape).sort().join(', ');
    throw new ConfigError(`unknown ${unknown.sort().join(', ')}; known are ${known}`);
  }
  const parsed = schema.safeParse(Object.fromEntries(set.filter(([name]) => name in schema.shape)));
  if (parsed.success) return parsed.data;
  // The value itself is left out: it may be a password.
  throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
};

/** What a service reads beyond `serviceVariables`. */
export interface OwnSettings<Shape extends z.ZodRawShape = z.ZodRawShape> {
  readonly variables: z.ZodObject<Shape>;
  /** From its variables to the `settings` that its `start` expects. */
  readonly settings: (values: z.infer<z.ZodObject<Shape>>) => Record<string, unknown>;
}

/** The environment of a service that is started alone. @throws ConfigError */
export const environmentFrom = <Shape extends z.ZodRawShape>(
  variables: Variables,
  own?: OwnSettings<Shape>,
): ServiceEnvironment => {
  const all = z.object({ ...serviceVariables.shape, ...own?.variables.shape });
  const values = readConfig(all, variables) as z.infer<typeof serviceVariables>;
  const { HOLDFAST_NATS_URL: servers, HOLDFAST_NATS_USER: user, HOLDFAST_NATS_PASSWORD: password } = values;
  if ((user === undefined) !== (password === undefined)) {
    throw new ConfigError('HOLDFAST_NATS_USER and HOLDFAST_NATS_PASSWORD go together');
  }
  if (/\/\/[^/]*@/.test(servers)) {
    throw new ConfigError('HOLDFAST_NATS_URL has no credentials: use HOLDFAST_NATS_USER and HOLDFAST_NATS_PASSWORD');
  }
  const port = values.HOLDFAST_HTTP_PORT;
  return {
    mode: values.HOLDFAST_MODE,
    databaseUrl: values.HOLDFAST_DATABASE_URL,
    migrationDatabaseUrl: values.HOLDFAST_MIGRATION_DATABASE_URL,
    nats: { servers, user, password },
    logLevel: values.HOLDFAST_LOG_LEVEL,
    logFile: values.HOLDFAST_LOG_FILE,
    http: port === undefined ? undefined : { host: values.HOLDFAST_HTTP_HOST, port },
    settings: own?.settings(values as never),
  };
};
