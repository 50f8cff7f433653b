/** What `start_session` carries; the names are StreamSpace's. */
export function startPayload(session: {
  user: string;
  template: string;
  manifest: Readonly<Record<string, unknown>>;
}): Record<string, unknown> {
  return {
    user: session.user,
    template: session.template,
    templateManifest: session.manifest,
    persistentHome: true,
  };
}
