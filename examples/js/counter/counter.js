// Counts its requests in a global. Whether that lasts is the lifecycle's choice, not this file's:
// under `--instances reuse` the answers are 1, 2, 3; under `per-request` always 1.
// (It exports incomingHandler itself: a component that listens for 'fetch' can take one request only.)
import { Fields, OutgoingBody, OutgoingResponse, ResponseOutparam } from 'wasi:http/types@0.2.10';

let count = 0;

export const incomingHandler = {
  handle(request, out) {
    count += 1;
    const headers = Fields.fromList([['content-type', new TextEncoder().encode('text/plain')]]);
    const response = new OutgoingResponse(headers);
    const body = response.body();
    ResponseOutparam.set(out, { tag: 'ok', val: response });
    const stream = body.write();
    stream.blockingWriteAndFlush(new TextEncoder().encode(`${count}\n`));
    stream[Symbol.dispose]();
    OutgoingBody.finish(body, undefined);
  },
};
