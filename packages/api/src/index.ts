export {
  errorsOf,
  exists,
  OPERATIONS,
  type AuditAction,
  type AuditRule,
  type Operation,
  type OperationAuth,
  type OperationId,
  type Operations,
  type OperationScope,
  type RequestId,
  type ServerKind,
} from './operations.js';
export { API_ERRORS, type ApiErrorCode } from './errors.js';
export type * from './types.js';
