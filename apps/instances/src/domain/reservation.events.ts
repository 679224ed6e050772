import type { Instant } from '@holdfast/contracts';
import type { Launch } from './instance.decider.ts';

/**
 * What one RunInstances call asked for, whole; stream `reservation-<reservationId>`. The client token is stored with it, so
 * that instances which a crash kept from being launched are launched later and a retry finds them.
 */
export interface InstancesReserved {
  type: 'InstancesReserved';
  reservationId: string;
  launches: Launch[];
  at: Instant;
}
