// A service in the style of a service worker. Components of this kind can take one request only (the engine inside throws at a
// second one), so each instance serves once: Holdfast notices, or is told with --instances per-request.
addEventListener('fetch', (event) =>
  event.respondWith(
    new Response('Hello from JavaScript\n', { headers: { 'content-type': 'text/plain' } }),
  ),
);
