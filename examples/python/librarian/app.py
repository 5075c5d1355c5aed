"""The librarian of the upload app (examples/upload): gives each upload a number and a shelf.

Its count lives in a global: one instance of a name runs at a time, and keeps it. It passes the upload on without
looking at it; the bytes stay where they are.
"""

from wit_world import exports
from wit_world.imports import messages

count = 0


class Handler(exports.Handler):
    def handle(self, message: messages.Message) -> None:
        global count
        if not isinstance(message, messages.Message_Request) or message.value.metadata != "new":
            return
        count += 1
        messages.forward(
            messages.Outgoing(
                target=f"shelf/{count}",
                body=str(count).encode(),
                metadata="keep",
                blob=messages.BlobChoice_Inherit(),
                capabilities=[],
            )
        )
