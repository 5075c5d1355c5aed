"""Asks several servers at once and says who answered, with a time against them: as c/fanout."""

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import environment, monotonic_clock, outgoing_handler, poll
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    IncomingResponse,
    OutgoingBody,
    OutgoingRequest,
    OutgoingResponse,
    ResponseOutparam,
    Scheme_Http,
)


class Asked:
    def __init__(self, authority: str) -> None:
        request = OutgoingRequest(Fields())
        request.set_scheme(Scheme_Http())
        request.set_authority(authority)
        self.says, self.future = "too late", None
        try:
            self.future = outgoing_handler.handle(request, None)
            self.ready = self.future.subscribe()
        except Err as e:
            self.says = "error " + type(e.value).__name__

    def look(self) -> None:
        result = self.future.get()
        if result is None:
            return
        answer = result.value
        if isinstance(answer, Ok):
            self.says = "%d %s" % (answer.value.status(), read(answer.value))
        else:
            self.says = "error " + type(answer.value).__name__
        self.let_go()

    def let_go(self) -> None:
        self.ready.__exit__(None, None, None)
        self.future.__exit__(None, None, None)  # what still runs is cancelled
        self.future = None


def read(response: IncomingResponse) -> str:
    text = b""
    with response, response.consume() as body, body.stream() as stream:
        try:
            while True:
                text += stream.blocking_read(4096)
        except Err:  # closed: its end
            pass
    return text.decode()


def race(all_: list[Asked], patience_ms: int) -> None:
    with monotonic_clock.subscribe_duration(patience_ms * 1000000) as over:
        while waiting := [asked for asked in all_ if asked.future]:
            ready = poll.poll([asked.ready for asked in waiting] + [over])
            for i in ready:
                if i < len(waiting):
                    waiting[i].look()
            if len(waiting) in ready:
                break
    for asked in all_:
        if asked.future:
            asked.let_go()


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        env = dict(environment.get_environment())
        all_ = [Asked(authority) for authority in env["UPSTREAMS"].split(",")]
        race(all_, int(env.get("PATIENCE_MS", "1000")))
        response = OutgoingResponse(Fields.from_list([("content-type", b"text/plain")]))
        body = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        text = "".join("%d: %s\n" % (i, asked.says) for i, asked in enumerate(all_))
        with body.write() as stream:
            stream.blocking_write_and_flush(text.encode())
        OutgoingBody.finish(body, None)
