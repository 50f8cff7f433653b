/** Version of the packages that have this API. */
export const VERSION = '0.1.0';
