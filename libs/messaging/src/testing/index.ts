export { testContext } from './context.ts';
