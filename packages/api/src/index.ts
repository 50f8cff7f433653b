export {
  errorsOf,
  OPERATIONS,
  type AuditRule,
  type Operation,
  type OperationAuth,
  type OperationId,
  type Operations,
  type OperationScope,
  type RequestId,
} from './operations.js';
export { API_ERRORS, type ApiErrorCode } from './errors.js';
export type * from './types.js';
