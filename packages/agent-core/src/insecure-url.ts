import { AgentError } from './errors.js';

/** 127.0.0.0/8, ::1 and localhost, as `URL` writes them. Node may ask DNS for names below localhost. */
const LOOPBACK = /^(127(\.\d{1,3}){3}|\[::1\]|localhost)$/;

/** @throws AgentError `insecure_url` when what is sent there can be read on the way */
export function requireSecure(controlPlaneUrl: string, isAllowed: boolean): void {
  const { protocol, hostname } = new URL(controlPlaneUrl);
  if (isAllowed || protocol === 'wss:' || protocol === 'https:' || LOOPBACK.test(hostname)) return;
  throw new AgentError(
    'insecure_url',
    `controlPlaneUrl must be a wss or https URL for ${hostname}, which is not this machine; got ${protocol}//${hostname}. ` +
      "The agent's key could be read on the way. Use wss or https; or, on a network that you trust, set " +
      'allowInsecureControlPlane: true (variable ALLOW_INSECURE_CONTROL_PLANE=true).',
    false,
  );
}
