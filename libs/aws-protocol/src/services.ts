import { AwsError } from '@holdfast/contracts';
import { cloudtrail } from './generated/cloudtrail.tables.ts';
import { ebs } from './generated/ebs.tables.ts';
import { ec2 } from './generated/ec2.tables.ts';
import { iam } from './generated/iam.tables.ts';
import { kms } from './generated/kms.tables.ts';
import { rbin } from './generated/rbin.tables.ts';
import { sts } from './generated/sts.tables.ts';
import type { OperationRow, ServiceId, ServiceModel, ShapeRow } from './service-model.ts';

const MODELS: Readonly<Record<ServiceId, ServiceModel>> = { ec2, kms, sts, ebs, iam, cloudtrail, rbin };

export const SERVICE_IDS = Object.keys(MODELS) as readonly ServiceId[];

export const modelOf = (service: ServiceId): ServiceModel => MODELS[service];

export const isServiceId = (name: string): name is ServiceId => Object.hasOwn(MODELS, name);

/** The tables of one operation; undefined when they were not generated. */
export const operationRow = (model: ServiceModel, name: string): OperationRow | undefined =>
  Object.hasOwn(model.operations, name) ? model.operations[name] : undefined;

/** A shape that the tables name, so its absence is a fault of the generator. */
export const shapeRow = (model: ServiceModel, name: string): ShapeRow => {
  const shape = model.shapes[name];
  if (shape === undefined) throw new Error(`no generated shape ${name}`);
  return shape;
};

const allNames = new Map<ServiceId, ReadonlySet<string>>();
/** Whether the service has the operation at all, whether or not this library has its shapes. */
export const isKnownOperation = (service: ServiceId, name: string): boolean => {
  let names = allNames.get(service);
  if (names === undefined) {
    names = new Set(modelOf(service).allOperations.split(' '));
    allNames.set(service, names);
  }
  return names.has(name);
};

/** AWS knows the operation and this server does not offer it. The gateway uses it too, when no service takes the operation. */
export const unsupportedOperation = (service: ServiceId, operation: string): AwsError => {
  const isQuery = modelOf(service).protocol.endsWith('Query');
  return new AwsError({
    code: isQuery ? 'UnsupportedOperation' : 'UnsupportedOperationException',
    message: `The operation ${operation} is not supported.`,
  });
};

/** No such operation in this service. `operation` is quoted only where AWS does. */
export const unknownOperation = (service: ServiceId, operation: string): AwsError => {
  if (!modelOf(service).protocol.endsWith('Query')) return new AwsError({ code: 'UnknownOperationException' });
  return new AwsError({ code: 'InvalidAction', message: `The action ${operation} is not valid for this web service.` });
};

/** @throws AwsError for an operation without tables. */
export const requireOperation = (service: ServiceId, name: string): OperationRow => {
  const row = operationRow(modelOf(service), name);
  if (row !== undefined) return row;
  throw isKnownOperation(service, name) ? unsupportedOperation(service, name) : unknownOperation(service, name);
};
