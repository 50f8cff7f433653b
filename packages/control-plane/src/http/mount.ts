import type { RequestHandler, Response } from 'express';

const KEY = 'streamspaceMount';

/**
 * Notes under which path browsers see the whole router: links and cookies need it. First handler of the outer router.
 *
 * @param publicPath of the option `publicUrl`; without it, the path where the router is mounted
 */
export const noteMount =
  (publicPath: string | undefined): RequestHandler =>
  (request, response, next) => {
    response.locals[KEY] = publicPath ?? request.baseUrl;
    next();
  };

/** `''` at the root, else for example `/vdi`. */
export const mountOf = (response: Response): string => String(response.locals[KEY] ?? '');
