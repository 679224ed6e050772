import type { Clock } from '@holdfast/service-kit';
import type { PlannedNotifications, Publisher } from './ports.ts';

const BATCH = 100;

/** Publishes what was planned for a time that has come. Repeats safely: the broker takes a notification once. */
export class TellPlanned {
  constructor(
    private readonly planned: PlannedNotifications,
    private readonly publisher: Publisher,
    private readonly clock: Clock,
  ) {}

  async run(): Promise<void> {
    for (const notification of await this.planned.due(this.clock.instant(), BATCH)) {
      await this.publisher.publish(notification);
      await this.planned.forget(notification.id);
    }
  }
}
