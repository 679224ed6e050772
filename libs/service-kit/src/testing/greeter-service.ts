import { callerOf, type RequestContext } from '@holdfast/contracts';
import { CommandHandler, type EventStore, type InlineProjection, type Sql } from '@holdfast/event-store';
import { grantReadModel } from '@holdfast/event-store/postgres';
import { type Clock, CLOCK, DATABASE, defineService, OPEN_EVENT_STORE, type OpenEventStore } from '../index.ts';
import { type DynamicModule, Module } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';

export type Greeted = { type: 'Greeted'; name: string };
const greetingDecider = {
  initialState: false,
  evolve: () => true,
  decide: ({ name }: { name: string }, greeted: boolean): Greeted[] => (greeted ? [] : [{ type: 'Greeted', name }]),
};

class CreateGuests1700000000001 {
  readonly name = 'CreateGuests1700000000001';
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE TABLE guests (name text PRIMARY KEY)');
    await runner.query(grantReadModel('guests'));
  }
  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE guests');
  }
}
const guests: InlineProjection<Greeted> = {
  name: 'guests',
  project: async ({ data }, sql) => void (await sql.query('INSERT INTO guests VALUES ($1)', [data.name])),
};

class Greeter {
  private readonly greetings: CommandHandler<{ name: string }, Greeted, boolean>;
  constructor(
    store: EventStore,
    private readonly database: Sql,
    private readonly clock: Clock,
  ) {
    this.greetings = new CommandHandler(store, greetingDecider, (name) => `guest-${name}`);
  }
  async greet({ name }: { name: string }, context: RequestContext) {
    const time = this.clock.instant();
    await this.greetings.handle(name, { name }, { metadata: { caller: callerOf(context) }, time });
    return { greeting: `Hello ${name}`, time };
  }
  guests() {
    return this.database.query<{ name: string }>('SELECT name FROM guests ORDER BY name');
  }
}

@Module({})
class GreeterModule {
  static register(): DynamicModule {
    const greeter = {
      provide: Greeter,
      inject: [OPEN_EVENT_STORE, DATABASE, CLOCK],
      useFactory: (open: OpenEventStore, database: Sql, clock: Clock) =>
        new Greeter(open({ projections: [guests] }), database, clock),
    };
    return { module: GreeterModule, providers: [greeter] };
  }
}

export const start = defineService({
  name: 'identity',
  migrations: [CreateGuests1700000000001],
  module: () => GreeterModule.register(),
  requests: (app) => {
    const greeter = app.get(Greeter);
    return {
      Greet: (input: { name: string }, context) => greeter.greet(input, context),
      ListGuests: () => greeter.guests(),
    };
  },
});
