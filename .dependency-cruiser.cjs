// Folder rules that project tags cannot see. Project rules are in eslint.config.mjs.
const app = '^apps/[^/]+/src';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A cycle means that two modules are one.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-orphans',
      comment: 'Nobody imports it, and it is no entry point: delete it.',
      severity: 'error',
      from: {
        orphan: true,
        pathNot: [
          '\\.spec\\.ts$',
          '\\.d\\.ts$',
          '/src/(main|service|demo|block-host)\\.ts$',
          '/src/index\\.ts$',
          '/generated/',
        ],
      },
      to: {},
    },
    {
      name: 'domain-is-pure',
      comment: 'A decision knows neither storage, transport nor framework.',
      severity: 'error',
      from: { path: `${app}/domain/`, pathNot: '\\.spec\\.ts$' },
      to: {
        pathNot: [
          `${app}/domain/`,
          '^libs/(contracts|decider|ec2|aws-protocol|iam)/',
          '^node:crypto$',
          '^crypto$',
          '^node_modules/zod/',
        ],
      },
    },
    {
      name: 'application-knows-no-adapter',
      comment: 'An action is written against ports; only the module file names what is behind them.',
      severity: 'error',
      from: { path: `${app}/application/`, pathNot: '\\.spec\\.ts$' },
      to: { path: [`${app}/adapters/`, '^node_modules/(@nestjs|typeorm|pg|@nats-io)/'] },
    },
    {
      name: 'only-the-module-wires-adapters',
      severity: 'error',
      from: { path: `${app}/(domain|application|projections)/`, pathNot: '\\.spec\\.ts$' },
      to: { path: `${app}/adapters/` },
    },
    {
      name: 'no-test-code-in-the-product',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['\\.spec\\.ts$', '/testing/', '/testing\\.ts$', '^apps/e2e/'] },
      to: { path: ['\\.spec\\.ts$', '^node_modules/(vitest|fast-check)/'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['/dist/', '/native/build/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'default'],
      extensions: ['.ts', '.js', '.mjs'],
    },
  },
};
