// neostandard, as in the Fastify family, and what is a rule of this house and can be seen in a single file.
// Import directions need all files at once: bin/check-imports.ts.

import neostandard, { plugins } from 'neostandard'

const limits = { columns: 110 }

/** Syntax that is out everywhere; ESLint replaces such a list whole, so narrower settings repeat it. */
const neverSyntax = [
  { selector: 'ExportAllDeclaration', message: 'No barrel files: import from where it is defined.' },
  { selector: ':matches(ClassDeclaration, ClassExpression):not([superClass.name=/Error$/])', message: 'No classes except errors: use functions and plain data.' },
  { selector: 'CatchClause[param=null]', message: 'Name the error, and let through what is not expected.' }
]

const timeAndChance = [
  { selector: 'CallExpression[callee.object.name="Date"][callee.property.name="now"]', message: 'Time is an argument: take a Clock or an Instant.' },
  { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: 'Time is an argument: take a Clock or an Instant.' },
  { selector: 'CallExpression[callee.object.name="Math"][callee.property.name="random"]', message: 'Chance is an argument: take a source of it.' }
]

export default [
  { ignores: ['node_modules/', '.data/', '.tap/'] },
  ...neostandard({ ts: true }),
  {
    plugins: { '@typescript-eslint': plugins['typescript-eslint'].plugin },
    rules: {
      '@stylistic/max-len': ['error', { code: limits.columns, ignoreUrls: true, ignoreRegExpLiterals: true }],
      // A schema and the type it gives share one name; tsc still sees two values of one name.
      '@typescript-eslint/no-redeclare': 'off',
      // Tables of data read better with a row a line.
      '@stylistic/object-property-newline': 'off',
      // `void promise` says that nobody waits for it, on purpose.
      'no-void': ['error', { allowAsStatement: true }],
      'no-restricted-exports': ['error', {
        restrictDefaultExports: { direct: true, named: true, defaultFrom: true, namedFrom: true, namespaceFrom: true }
      }],
      'no-restricted-syntax': ['error', ...neverSyntax, ...timeAndChance]
    }
  },
  {
    files: ['**/*.{ts,tsx}'],
    rules: { '@typescript-eslint/no-explicit-any': 'error' }
  },
  {
    // Where time and chance come from, or are measured, and no money is decided.
    files: ['**/main.ts', 'runtime/**', 'terminal-sim/**', 'bin/**', 'bench/**', 'test/**'],
    rules: { 'no-restricted-syntax': ['error', ...neverSyntax] }
  },
  {
    // What runs in a browser takes types of the houses' messages, and of their values the registry of reasons.
    files: ['console/**'],
    rules: {
      'no-restricted-syntax': ['error', ...neverSyntax, ...timeAndChance, {
        selector: 'ImportDeclaration[importKind!="type"][source.value=/\\u002F(schemas|runtime)\\u002F(?!reasons.ts)/]',
        message: 'The console imports types of the schemas, no code.'
      }]
    }
  },
  {
    files: ['eslint.config.js'],
    rules: { 'no-restricted-exports': 'off', '@stylistic/max-len': 'off' }
  }
]
