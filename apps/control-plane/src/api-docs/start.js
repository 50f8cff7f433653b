/* global SwaggerUIBundle */
SwaggerUIBundle({
  // Relative: a proxy may serve this page under a path that only browsers see.
  url: '../openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  // The default is a server of others, which would learn of this one.
  validatorUrl: null,
});
