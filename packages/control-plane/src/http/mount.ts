import type { ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';

const MOUNTS = new WeakMap<ServerResponse, string>();

/**
 * Notes under which path browsers see the whole router: links and cookies need it. First handler of the outer router.
 *
 * @param publicPath of the option `publicUrl`; without it, the path where the router is mounted
 */
export const noteMount =
  (publicPath: string | undefined): RequestHandler =>
  (request, response, next) => {
    MOUNTS.set(response, publicPath ?? request.baseUrl);
    next();
  };

/** `''` at the root, else for example `/vdi`. */
export const mountOf = (response: ServerResponse): string => MOUNTS.get(response) ?? '';
