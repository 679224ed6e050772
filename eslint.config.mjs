import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

const boundaries = {
  enforceBuildableLibDependency: false,
  // Tools are no project: what fetches foreign programs serves the build, the tests and the embedded servers alike.
  allow: ['../../../tools/**', '../../../../tools/**'],
  depConstraints: [
    {
      sourceTag: 'layer:core',
      onlyDependOnLibsWithTags: ['layer:core'],
      bannedExternalImports: ['@nestjs/*', 'typeorm', 'pg', '@nats-io/*'],
    },
    { sourceTag: 'layer:kit', onlyDependOnLibsWithTags: ['layer:core', 'layer:kit'] },
    { sourceTag: 'layer:app', onlyDependOnLibsWithTags: ['layer:core', 'layer:kit'] },
    // Only kms, data-plane and api-gateway may hold a plaintext key; following transitive imports makes that a lint error.
    { sourceTag: 'keys:sealed', notDependOnLibsWithTags: ['keys:plaintext'] },
  ],
};

export default tseslint.config(
  { ignores: ['**/dist/**', '**/generated/**', '**/node_modules/**', '.nx/**', '**/native/build/**'] },
  ...tseslint.configs.strict,
  {
    files: ['**/*.ts', '**/*.mjs'],
    plugins: { '@nx': nx },
    rules: {
      '@nx/enforce-module-boundaries': ['error', boundaries],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-extraneous-class': 'off', // Nest modules are classes with only a decorator.
      '@typescript-eslint/no-non-null-assertion': 'error',
      // A name that begins with an underscore says that what it names is taken away on purpose.
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_', argsIgnorePattern: '^_' }],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
    },
  },
  {
    files: ['**/*.spec.ts', '**/testing/**'],
    rules: { 'max-lines-per-function': 'off', '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  { files: ['tools/**', 'bench/**'], rules: { 'no-console': 'off', '@nx/enforce-module-boundaries': 'off' } },
);
