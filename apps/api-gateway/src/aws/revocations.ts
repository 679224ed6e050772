import type { Bus } from '@holdfast/messaging';
import { z } from 'zod';

/** Events after which an access key must not be used again, and what they say of it. */
const KEY_EVENTS = ['AccessKeyDeactivated', 'AccessKeyDeleted'];
/** Events that end the sessions of somebody: which keys those are is not said. */
const OWNER_EVENTS = ['UserDeleted', 'RoleDeleted'];

const keyEventSchema = z.object({ data: z.object({ accessKeyId: z.string() }) });

export interface KeyMemory {
  forget(accessKeyId?: string): void;
}

/**
 * Has the verifier forget signing keys as `identity` takes them back. Every replica of the gateway has to hear it, so it is a
 * plain subscription; one that is missed, while the connection is away, is made up for by how short keys are remembered.
 */
export const forgetRevokedKeys = (bus: Pick<Bus, 'connection'>, memory: KeyMemory): void => {
  const on = (event: string, forget: (payload: unknown) => void) =>
    bus.connection.subscribe(`identity.event.${event}.v1`, {
      callback: (error, message) => {
        if (error === null) forget(message.json());
      },
    });
  for (const event of KEY_EVENTS) {
    on(event, (payload) => {
      const parsed = keyEventSchema.safeParse(payload);
      memory.forget(parsed.success ? parsed.data.data.accessKeyId : undefined);
    });
  }
  for (const event of OWNER_EVENTS) on(event, () => memory.forget());
};
