// Bundles each app's entry points into dist/<app>/: our own packages are inlined, third-party ones stay in node_modules.
// Takes under a second, so `npm start` and `npm test` always run what the sources say.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** `main.ts` starts an app alone, `service.ts` is what `holdfast up` loads, other entries are named by the app. */
const ENTRY_FILES = ['main.ts', 'service.ts', 'block-host.ts', 'demo.ts'];

const appEntries = Object.fromEntries(
  readdirSync(join(root, 'apps')).flatMap((app) =>
    ENTRY_FILES.map((file) => [`${app}/${file.replace(/\.ts$/, '')}`, join(root, 'apps', app, 'src', file)]).filter(
      ([, path]) => existsSync(path),
    ),
  ),
);

rmSync(join(root, 'dist'), { recursive: true, force: true });
await build({
  entryPoints: {
    ...appEntries,
    'bench/run': join(root, 'bench/run.ts'),
    'bench/block-server': join(root, 'bench/block-server.ts'),
    'bench/bare-block-server': join(root, 'bench/bare-block-server.ts'),
    'bench/signed-http-server': join(root, 'bench/signed-http-server.ts'),
  },
  outdir: join(root, 'dist'),
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  sourcemap: 'linked',
  logLevel: 'warning',
  tsconfig: join(root, 'tsconfig.base.json'),
  plugins: [
    {
      name: 'third-party-stays-outside',
      setup: (b) =>
        b.onResolve({ filter: /^[^./]/ }, ({ path }) =>
          path.startsWith('@holdfast/') ? undefined : { path, external: true },
        ),
    },
  ],
});
