// The rules of wasi:http and wasi:io as a JavaScript component sees them: one path a rule. A check that holds answers "ok";
// one that does not says what it saw. Paths under /trap/ must end this instance, and nothing else.
import {
  Fields, IncomingBody, OutgoingBody, OutgoingRequest, OutgoingResponse, RequestOptions, ResponseOutparam,
} from 'wasi:http/types@0.2.10';
import { poll } from 'wasi:io/poll@0.2.10';
import { subscribeDuration } from 'wasi:clocks/monotonic-clock@0.2.10';

const bytes = (text) => new TextEncoder().encode(text);
const text = (list) => new TextDecoder().decode(new Uint8Array(list));

// ---- answering ----

function answer(out, words, status = 200, headers = []) {
  const response = new OutgoingResponse(Fields.fromList(headers));
  response.setStatusCode(status);
  const body = response.body();
  ResponseOutparam.set(out, { tag: 'ok', val: response });
  const stream = body.write();
  if (words.length > 0) stream.blockingWriteAndFlush(bytes(words));
  stream[Symbol.dispose]();
  OutgoingBody.finish(body, undefined);
}

// ---- checking ----

function same(got, want, what) {
  const a = JSON.stringify(got), b = JSON.stringify(want);
  if (a !== b) throw new Error(`${what}: ${a}, wanted ${b}`);
}

// What a failing call throws: the error of its result.
function refused(call, want) {
  let tag;
  try {
    call();
  } catch (e) {
    tag = e && e.payload !== undefined ? (e.payload.tag ?? e.payload) : `${e}`;
    if (want === undefined) return;
    same(tag, want, 'refused with');
    return;
  }
  throw new Error(`not refused, wanted ${want}`);
}

const entries = (fields) => fields.entries().map(([k, v]) => [k, text(v)]);
const clock = (ms) => subscribeDuration(BigInt(ms) * 1000000n);

// Reads a stream to its end: what it said last must be `closed`.
function readAll(stream) {
  let got = [];
  for (;;) {
    try {
      got = got.concat(Array.from(stream.blockingRead(65536n)));
    } catch (e) {
      same(e.payload.tag, 'closed', 'end');
      return text(got);
    }
  }
}

const checks = {
  '/fields/names': () => {
    const f = new Fields();
    refused(() => f.append('bad name', bytes('x')), 'invalid-syntax');
    refused(() => f.append('', bytes('x')), 'invalid-syntax');
    same(f.has('bad name'), false, 'has');
    same(f.get('bad name'), [], 'get');
  },
  '/fields/values': () => {
    const f = new Fields();
    refused(() => f.append('a', bytes('x\r\ny')), 'invalid-syntax');
    refused(() => f.append('a', new Uint8Array([0])), 'invalid-syntax');
    f.append('a', new Uint8Array([0x80, 0xff]));
    f.append('b', bytes(''));
    same(f.entries().length, 2, 'entries');
  },
  '/fields/forbidden': () => {
    const f = new Fields();
    for (const name of ['Connection', 'keep-alive', 'transfer-encoding', 'Upgrade', 'host'])
      refused(() => f.append(name, bytes('x')), 'forbidden');
    refused(() => Fields.fromList([['connection', bytes('x')]]), 'forbidden');
  },
  '/fields/immutable': (request) => {
    const f = request.headers();
    refused(() => f.append('a', bytes('x')), 'immutable');
    refused(() => f.delete('user-agent'), 'immutable');
  },
  '/fields/order': () => {
    const f = Fields.fromList([['B', bytes('1')], ['a', bytes('2')], ['b', bytes('3')]]);
    same(entries(f), [['B', '1'], ['a', '2'], ['b', '3']], 'entries');
    same(f.get('b').map(text), ['1', '3'], 'get');
  },
  '/fields/set': () => {
    const f = Fields.fromList([['a', bytes('1')], ['b', bytes('2')], ['A', bytes('3')]]);
    f.set('a', [bytes('4')]);
    same(f.get('a').map(text), ['4'], 'set');
    f.set('b', []);
    same(f.has('b'), false, 'set of nothing');
    f.delete('not-there');
  },
  '/fields/clone': (request) => {
    const f = request.headers(), c = f.clone();
    c.append('x-new', bytes('1'));
    same([f.has('x-new'), c.has('x-new')], [false, true], 'has');
  },
  '/request/parts': (request) => {
    same(request.method().tag, 'get', 'method');
    same(request.pathWithQuery(), '/request/parts?q=1', 'path');
    same(request.authority() !== undefined, true, 'authority');
    same(request.scheme().tag, 'HTTP', 'scheme');
    same(request.headers().has('host'), false, 'host');
  },
  '/request/consume': (request) => {
    const body = request.consume();
    refused(() => request.consume());
    body[Symbol.dispose]();
  },
  '/body/stream-once': (request) => {
    const body = request.consume(), stream = body.stream();
    refused(() => body.stream());
    same(readAll(stream), 'some bytes', 'body');
    stream[Symbol.dispose]();
    body[Symbol.dispose]();
  },
  '/body/trailers': (request) => {
    const body = request.consume(); // not read: the host reads on to find them
    const future = IncomingBody.finish(body);
    const ready = future.subscribe();
    ready.block();
    ready[Symbol.dispose]();
    const first = future.get();
    same(first.tag, 'ok', 'outer');
    same(first.val.tag, 'ok', 'inner');
    same(entries(first.val.val), [['x-sum', '42']], 'trailers');
    same(future.get().tag, 'err', 'second get');
  },
  '/body/closed-for-ever': (request) => {
    const body = request.consume(), stream = body.stream();
    same(readAll(stream), 'some bytes', 'body');
    for (let i = 0; i < 3; i++) refused(() => stream.read(1n), 'closed');
    stream[Symbol.dispose]();
    body[Symbol.dispose]();
  },
  '/body/read-nothing': (request) => {
    const body = request.consume(), stream = body.stream();
    same(stream.blockingRead(4n).length, 4, 'blocking read');
    same(stream.read(0n).length, 0, 'read of nothing');
    same(text(stream.blockingRead(18446744073709551615n)), ' bytes', 'read of too much');
    stream[Symbol.dispose]();
    body[Symbol.dispose]();
  },
  '/outgoing/setters': () => {
    const r = new OutgoingRequest(new Fields());
    refused(() => r.setMethod({ tag: 'other', val: 'bad method' }));
    refused(() => r.setPathWithQuery('/a b'));
    refused(() => r.setAuthority('host:port'));
    refused(() => r.setScheme({ tag: 'other', val: '1x' }));
    r.setAuthority('[::1]:80');
    same(r.authority(), '[::1]:80', 'authority');
    same(r.method().tag, 'get', 'method');
  },
  '/outgoing/options': () => {
    const o = new RequestOptions();
    same(o.connectTimeout(), undefined, 'at first');
    o.setConnectTimeout(5000n);
    o.setFirstByteTimeout(6000n);
    same([o.connectTimeout(), o.firstByteTimeout()].map(String), ['5000', '6000'], 'kept');
  },
  '/response/status': () => {
    const r = new OutgoingResponse(new Fields());
    same(r.statusCode(), 200, 'at first');
    refused(() => r.setStatusCode(99));
    refused(() => r.setStatusCode(1000));
    r.setStatusCode(999);
    same(r.statusCode(), 999, 'kept');
  },
  '/response/body-once': () => {
    const r = new OutgoingResponse(new Fields());
    const body = r.body();
    refused(() => r.body());
    const stream = body.write();
    refused(() => body.write());
    stream[Symbol.dispose]();
    body[Symbol.dispose]();
  },
  '/poll/duplicates': () => {
    const now = clock(0), late = clock(60000);
    same(Array.from(poll([now, late, now])), [0, 2], 'ready');
  },
  '/poll/level': () => {
    const now = clock(1);
    now.block();
    for (let i = 0; i < 3; i++) same(now.ready(), true, 'still ready');
    same(Array.from(poll([now])), [0], 'and again');
  },
  '/poll/waits': () => {
    const a = clock(40), b = clock(5);
    same(Array.from(poll([a, b])), [1], 'the sooner one');
    same(a.ready(), false, 'the later one');
  },
  '/stream/permit': () => {
    const r = new OutgoingResponse(new Fields()), body = r.body(), stream = body.write();
    same(stream.checkWrite() > 0n, true, 'permit');
    stream.write(bytes('abc'));
    same(stream.checkWrite() > 0n, true, 'another');
    stream[Symbol.dispose]();
    body[Symbol.dispose]();
  },
};

// These answer in their own way.
const special = {
  '/early': (request, out) => { // the answer is whole long before we return
    answer(out, 'early');
    clock(300).block();
  },
  '/before-set': (request, out) => { // a body may be written before it is given out
    const response = new OutgoingResponse(new Fields());
    const body = response.body(), stream = body.write();
    same(stream.checkWrite() > 0n, true, 'permit');
    stream.write(bytes('written before'));
    stream[Symbol.dispose]();
    OutgoingBody.finish(body, undefined);
    ResponseOutparam.set(out, { tag: 'ok', val: response });
  },
  '/no-answer': () => {},
  '/error/timeout': (request, out) => ResponseOutparam.set(out, { tag: 'err', val: { tag: 'connection-timeout' } }),
  '/error/refused': (request, out) => ResponseOutparam.set(out, { tag: 'err', val: { tag: 'connection-refused' } }),
  '/length/over': (request, out) => {
    const response = new OutgoingResponse(Fields.fromList([['content-length', bytes('3')]]));
    const body = response.body();
    ResponseOutparam.set(out, { tag: 'ok', val: response });
    const stream = body.write();
    let tag = 'written';
    try {
      stream.blockingWriteAndFlush(bytes('too long'));
    } catch (e) {
      tag = e.payload.tag;
    }
    console.log(`over: ${tag}`);
    stream[Symbol.dispose]();
  },
  '/length/under': (request, out) => {
    const response = new OutgoingResponse(Fields.fromList([['content-length', bytes('100')]]));
    const body = response.body();
    ResponseOutparam.set(out, { tag: 'ok', val: response });
    const stream = body.write();
    stream.blockingWriteAndFlush(bytes('short'));
    stream[Symbol.dispose]();
    let tag = 'finished';
    try {
      OutgoingBody.finish(body, undefined);
    } catch (e) {
      tag = `${e.payload.tag} ${e.payload.val}`;
    }
    console.log(`under: ${tag}`);
  },
  '/trailers': (request, out) => {
    const response = new OutgoingResponse(new Fields());
    const body = response.body();
    ResponseOutparam.set(out, { tag: 'ok', val: response });
    const stream = body.write();
    stream.blockingWriteAndFlush(bytes('with trailers'));
    stream[Symbol.dispose]();
    OutgoingBody.finish(body, Fields.fromList([['x-sum', bytes('42')]]));
  },
  '/empty': (request, out) => {
    const response = new OutgoingResponse(new Fields());
    response.setStatusCode(204);
    ResponseOutparam.set(out, { tag: 'ok', val: response });
  },
  '/unfinished': (request, out) => {
    const response = new OutgoingResponse(new Fields());
    const body = response.body();
    ResponseOutparam.set(out, { tag: 'ok', val: response });
    const stream = body.write();
    stream.blockingWriteAndFlush(bytes('half of '));
    stream[Symbol.dispose]();
    body[Symbol.dispose]();
  },
  '/splice': (request, out) => {
    const response = new OutgoingResponse(new Fields());
    const to = response.body(), from = request.consume();
    ResponseOutparam.set(out, { tag: 'ok', val: response });
    const writer = to.write(), reader = from.stream();
    try {
      for (;;) writer.blockingSplice(reader, 65536n);
    } catch (e) {
      same(e.payload.tag, 'closed', 'end of splice');
    }
    writer[Symbol.dispose]();
    reader[Symbol.dispose]();
    OutgoingBody.finish(to, undefined);
  },
};

const traps = {
  '/trap/poll-nothing': () => poll([]),
  '/trap/finish-with-stream': (request) => {
    const body = request.consume(), stream = body.stream();
    IncomingBody.finish(body);
    return stream;
  },
  '/trap/past-permit': () => {
    const r = new OutgoingResponse(new Fields()), body = r.body(), stream = body.write();
    stream.write(new Uint8Array(Number(stream.checkWrite()) + 1));
  },
  '/trap/too-much-at-once': () => {
    const r = new OutgoingResponse(new Fields()), body = r.body(), stream = body.write();
    stream.blockingWriteAndFlush(new Uint8Array(4097));
  },
  '/trap/parent-first': (request) => {
    const body = request.consume(), stream = body.stream(), pollable = stream.subscribe();
    stream[Symbol.dispose]();
    return pollable;
  },
};

export const incomingHandler = {
  handle(request, out) {
    const path = request.pathWithQuery().split('?')[0];
    if (special[path]) return special[path](request, out);
    if (traps[path]) {
      traps[path](request);
      return answer(out, 'it did not trap', 500);
    }
    if (!checks[path]) return answer(out, Object.keys(checks).join('\n') + '\n', 404);
    try {
      checks[path](request);
    } catch (e) {
      return answer(out, `${path}: ${e}`);
    }
    answer(out, 'ok');
  },
};
