export { testContext } from './context.ts';
export { eventually } from './eventually.ts';
export { TestSource } from './events.ts';
