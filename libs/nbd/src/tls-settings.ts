import { z } from 'zod';

/** Environment variables that say where volumes are served over TLS, and by which certificates. */
export const nbdTlsVariables = {
  HOLDFAST_NBD_TLS_LISTEN: z.string().min(1).optional(),
  HOLDFAST_NBD_TLS_CERT_FILE: z.string().min(1).optional(),
  HOLDFAST_NBD_TLS_KEY_FILE: z.string().min(1).optional(),
  HOLDFAST_NBD_TLS_CLIENT_CA_FILE: z.string().min(1).optional(),
  HOLDFAST_NBD_TLS_CLIENT_CRL_FILE: z.string().min(1).optional(),
};

export type NbdTlsVariables = { readonly [Name in keyof typeof nbdTlsVariables]?: string | undefined };

/** Paths of PEM files; `clientCa` signed what guests show, and `clientCrl` tells which of it is no longer good. */
export const nbdTlsSettingsSchema = z.strictObject({
  listen: z.string().regex(/^[A-Za-z0-9.:[\]-]+:\d{1,5}$/, 'must be <host>:<port>'),
  cert: z.string(),
  key: z.string(),
  clientCa: z.string(),
  clientCrl: z.string().optional(),
});

export type NbdTlsSettings = z.infer<typeof nbdTlsSettingsSchema>;

/**
 * All of them but the revocation list, or none: without certificates nothing is served to other hosts.
 * @throws Error naming the variable that is missing or makes no sense.
 */
export const nbdTlsSettings = (values: NbdTlsVariables): NbdTlsSettings | undefined => {
  const byMember = {
    listen: 'HOLDFAST_NBD_TLS_LISTEN',
    cert: 'HOLDFAST_NBD_TLS_CERT_FILE',
    key: 'HOLDFAST_NBD_TLS_KEY_FILE',
    clientCa: 'HOLDFAST_NBD_TLS_CLIENT_CA_FILE',
    clientCrl: 'HOLDFAST_NBD_TLS_CLIENT_CRL_FILE',
  } as const;
  const entries = Object.entries(byMember).map(([member, name]) => [member, values[name]] as const);
  if (entries.every(([, value]) => value === undefined)) return undefined;
  const settings = nbdTlsSettingsSchema.safeParse(Object.fromEntries(entries));
  if (settings.success) return settings.data;
  const [issue] = settings.error.issues;
  const name = byMember[issue?.path[0] as keyof typeof byMember];
  const isMissing = values[name] === undefined;
  throw new Error(
    isMissing
      ? `${name} is missing: HOLDFAST_NBD_TLS_LISTEN, _CERT_FILE, _KEY_FILE and _CLIENT_CA_FILE go together`
      : `${name} makes no sense: it ${issue?.message ?? ''}`,
  );
};
