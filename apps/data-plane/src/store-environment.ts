import type { S3Settings } from '@holdfast/block-store';

/** What the service tells its block hosts about the object store that blocks are in, as JSON. */
export const STORE_SETTINGS_VARIABLE = 'HOLDFAST_BLOCK_STORE_SETTINGS';

/** What the SDK's usual chain finds credentials by, and authorities. */
const PASSED_ON = /^(AWS_.*|HOME|NODE_EXTRA_CA_CERTS)$/;

/** Block hosts are started with an empty environment: this is what those need that use an object store. */
export const storeEnvironment = (
  s3: S3Settings | null,
  environment: NodeJS.ProcessEnv,
): Readonly<Record<string, string>> => {
  if (s3 === null) return {};
  const passed = Object.entries(environment).flatMap(([name, value]) =>
    PASSED_ON.test(name) && value !== undefined ? [[name, value] as const] : [],
  );
  return { ...Object.fromEntries(passed), [STORE_SETTINGS_VARIABLE]: JSON.stringify(s3) };
};
