import { describeEventStore } from '../testing/event-store-suite.ts';
import { MemoryEventStore, MemoryLog } from './memory-event-store.ts';
import { MemoryInbox } from './memory-inbox.ts';

describeEventStore('MemoryEventStore', () => {
  const log = new MemoryLog();
  return Promise.resolve({
    open: (options) => new MemoryEventStore({ ...options, log, service: 'spec' }),
    inbox: new MemoryInbox(),
    close: () => Promise.resolve(),
  });
});
