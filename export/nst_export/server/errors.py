"""An answer other than 200, as an exception."""

from collections.abc import Mapping


class HttpError(Exception):
    """An answer other than 200.

    Args:
        status: The HTTP status.
        message: What is wrong, what was given, what is possible.
        headers: More headers of the answer.
    """

    def __init__(
        self, status: int, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})
