// Asks several servers at once and says who answered, with a time against them: as c/fanout, on wasi:http itself.
import { Fields, OutgoingBody, OutgoingRequest, OutgoingResponse, ResponseOutparam } from 'wasi:http/types@0.2.10';
import { handle } from 'wasi:http/outgoing-handler@0.2.10';
import { poll } from 'wasi:io/poll@0.2.10';
import { subscribeDuration } from 'wasi:clocks/monotonic-clock@0.2.10';
import { getEnvironment } from 'wasi:cli/environment@0.2.10';

const encode = (text) => new TextEncoder().encode(text);

function ask(authority) {
  const request = new OutgoingRequest(new Fields());
  request.setScheme({ tag: 'HTTP' });
  request.setAuthority(authority);
  try {
    const future = handle(request, undefined);
    return { future, ready: future.subscribe(), says: 'too late' };
  } catch (e) {
    return { says: `error ${e.payload?.tag ?? e}` };
  }
}

// The whole of a body, as text.
function read(response) {
  const body = response.consume();
  const stream = body.stream();
  let text = '';
  for (;;) {
    try {
      text += new TextDecoder().decode(stream.blockingRead(4096n));
    } catch (e) {
      break; // closed: its end
    }
  }
  stream[Symbol.dispose]();
  body[Symbol.dispose]();
  return text;
}

function letGo(asked) {
  asked.ready[Symbol.dispose]();
  asked.future[Symbol.dispose](); // what still runs is cancelled
  asked.future = undefined;
}

function look(asked) {
  const result = asked.future.get();
  if (result === undefined) return;
  const answer = result.val;
  asked.says = answer.tag === 'ok' ? `${answer.val.status()} ${read(answer.val)}` : `error ${answer.val.tag}`;
  letGo(asked);
}

function race(all, patience) {
  const over = subscribeDuration(BigInt(patience) * 1000000n);
  for (;;) {
    const waiting = all.filter((asked) => asked.future);
    if (waiting.length === 0) break;
    const ready = poll([...waiting.map((asked) => asked.ready), over]);
    for (const i of ready) if (i < waiting.length) look(waiting[i]);
    if (ready.includes(waiting.length)) break;
  }
  over[Symbol.dispose]();
  for (const asked of all) if (asked.future) letGo(asked);
}

export const incomingHandler = {
  handle(request, out) {
    const env = new Map(getEnvironment());
    const all = env.get('UPSTREAMS').split(',').map(ask);
    race(all, env.get('PATIENCE_MS') ?? 1000);
    const response = new OutgoingResponse(Fields.fromList([['content-type', encode('text/plain')]]));
    const body = response.body();
    ResponseOutparam.set(out, { tag: 'ok', val: response });
    const stream = body.write();
    stream.blockingWriteAndFlush(encode(all.map((asked, i) => `${i}: ${asked.says}\n`).join('')));
    stream[Symbol.dispose]();
    OutgoingBody.finish(body, undefined);
  },
};
