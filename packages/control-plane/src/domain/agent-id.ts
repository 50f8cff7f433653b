const AGENT_ID = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?$/;

/** What {@link isAgentId} allows, for messages. */
export const AGENT_ID_ALLOWED = '1 to 255 letters, digits and . _ -, with a letter or digit at both ends';

export const isAgentId = (text: string): boolean => AGENT_ID.test(text);
