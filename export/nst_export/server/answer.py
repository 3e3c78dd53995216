"""What middleware sees of an answer that goes out."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Answer:
    """The answer to one request, watched while it is sent.

    Args:
        send: Where the messages go.

    Attributes:
        status: HTTP's; 0 until there is one, 499 at the end if the client went first.
        sent: Bytes of the body up to now.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = self.sent = 0

    async def of(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        """Let an application answer."""
        try:
            await app(scope, receive, self._watch)
        except Exception:
            self.status = self.status or 500  # What Starlette answers, outside of this.
            raise
        finally:
            self.status = self.status or 499

    async def _watch(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self.sent += len(message.get("body", b""))
        await self._send(message)
