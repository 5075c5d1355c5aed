// Counts its requests in a global. Whether that lasts is the lifecycle's choice, not this file's:
// under `--instances reuse` the answers are 1, 2, 3; under `per-request` always 1.
let count = 0;

addEventListener('fetch', (event) => {
  count += 1;
  event.respondWith(new Response(`${count}\n`, { headers: { 'content-type': 'text/plain' } }));
});
