import type { RequestHandler, Response } from 'express';

const KEY = 'streamspaceMount';

/** Notes under which path the whole router is mounted: links and cookies need it. First handler of the outer router. */
export const noteMount: RequestHandler = (request, response, next) => {
  response.locals[KEY] = request.baseUrl;
  next();
};

/** `''` at the root, else for example `/vdi`. */
export const mountOf = (response: Response): string => String(response.locals[KEY] ?? '');
