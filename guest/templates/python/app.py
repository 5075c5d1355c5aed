"""An HTTP service: GET / greets, GET /count counts in a key-value bucket.

The module wit_world is made by the build from wit/.
"""

from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports import atomics, store
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        path = (request.path_with_query() or "/").split("?")[0]
        if path == "/":
            answer(response_out, 200, "Hello from @NAME@\n")
        elif path == "/count":
            answer(response_out, 200, f"{count()}\n")
        else:
            answer(response_out, 404, "not found\n")


def count() -> int:
    """One more, kept in a bucket that must be granted."""
    with store.open("default") as bucket:
        return atomics.increment(bucket, "hits", 1)


def answer(out: ResponseOutparam, status: int, text: str) -> None:
    response = OutgoingResponse(Fields.from_list([("content-type", b"text/plain")]))
    response.set_status_code(status)
    body = response.body()
    ResponseOutparam.set(out, Ok(response))
    with body.write() as stream:
        stream.blocking_write_and_flush(text.encode())
    OutgoingBody.finish(body, None)
