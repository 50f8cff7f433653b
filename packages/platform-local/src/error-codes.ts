/** What this platform says besides the codes that every platform has. */
export type LocalPlatformErrorCode =
  'program_missing' | 'socket_path_too_long' | 'invalid_screen' | 'limit_reached';
