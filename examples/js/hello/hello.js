// The smallest service: one text for every request, in the style of a service worker.
addEventListener('fetch', (event) =>
  event.respondWith(
    new Response('Hello from JavaScript\n', { headers: { 'content-type': 'text/plain' } }),
  ),
);
