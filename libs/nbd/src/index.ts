export { errnoOf, NbdProtocolError } from './export-backend.ts';
export type { ExportBackend, Extent } from './export-backend.ts';
export { serveNbd } from './server.ts';
export type { NbdServer, NbdServerOptions } from './server.ts';
export { checkTlsMaterial, serveTlsFront } from './tls-front.ts';
export type { TlsFront, TlsFrontOptions, TlsMaterial } from './tls-front.ts';
export { nbdTlsSettings, nbdTlsSettingsSchema, nbdTlsVariables } from './tls-settings.ts';
export type { NbdTlsSettings } from './tls-settings.ts';
export type { CommandStats, NbdCommandName, NbdStats } from './stats.ts';
