// An HTTP service: GET / greets, GET /count counts in a key-value bucket.
import { Fields, OutgoingBody, OutgoingResponse, ResponseOutparam } from 'wasi:http/types@0.2.10';
import { open } from 'wasi:keyvalue/store@0.2.0-draft2';
import { increment } from 'wasi:keyvalue/atomics@0.2.0-draft2';

export const incomingHandler = {
  handle(request, out) {
    const path = (request.pathWithQuery() ?? '/').split('?')[0];
    if (path === '/') {
      answer(out, 200, 'Hello from @NAME@\n');
    } else if (path === '/count') {
      answer(out, 200, `${count()}\n`);
    } else {
      answer(out, 404, 'not found\n');
    }
  },
};

// One more, kept in a bucket that must be granted.
function count() {
  return increment(open('default'), 'hits', 1n);
}

function answer(out, status, text) {
  const bytes = new TextEncoder().encode(text);
  const response = new OutgoingResponse(Fields.fromList([['content-type', new TextEncoder().encode('text/plain')]]));
  response.setStatusCode(status);
  const body = response.body();
  ResponseOutparam.set(out, { tag: 'ok', val: response });
  const stream = body.write();
  stream.blockingWriteAndFlush(bytes);
  stream[Symbol.dispose]();
  OutgoingBody.finish(body, undefined);
}
