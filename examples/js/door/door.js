// The door of the upload app (examples/upload): a route of the gateway ends here. It looks at each
// request's head and decides; the bytes of a body are not its business, and never come in here.
import { forward } from 'holdfast:kernel/messages@0.1.0';
import { Blob } from 'holdfast:kernel/blobs@0.1.0';
import { request, respond } from 'holdfast:kernel/http@0.1.0';

const text = (s) => new TextEncoder().encode(s);

function say(status, words) {
  respond(status, [['content-type', text('text/plain; charset=utf-8')]], Blob.ofBytes(text(words + '\n')));
}

function handleRequest() {
  const head = request();
  if (head === undefined)
    return; // a message of another process: nothing is promised to it
  const path = head.pathWithQuery.split('?')[0];
  const shelf = /^\/uploads\/([0-9]{1,9})$/.exec(path);
  if (path === '/uploads' && head.method === 'POST') {
    // The answer goes straight from whoever gives it to the client: this process is done.
    forward({ target: 'librarian', body: new Uint8Array(), metadata: 'new', blob: { tag: 'inherit' }, capabilities: [] });
  } else if (shelf && head.method === 'GET') {
    forward({ target: `shelf/${shelf[1]}`, body: new Uint8Array(), metadata: 'fetch', blob: { tag: 'none' }, capabilities: [] });
  } else if (path === '/uploads' || shelf) {
    say(405, 'POST /uploads, or GET /uploads/NUMBER');
  } else {
    say(404, 'nothing is here: POST /uploads, or GET /uploads/NUMBER');
  }
}

export const handler = {
  handle(message) {
    if (message.tag === 'request')
      handleRequest();
  },
};
