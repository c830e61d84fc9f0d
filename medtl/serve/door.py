"""Who may come in, and how much they may bring: looked at before anything is read. Knows nothing of images."""

import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.responses import JSONResponse

BODY_BYTES = 100 * 10**6  # one image with its multipart wrapping
OPEN = ("/health", "/docs", "/openapi.json")  # without a token
PROBLEM = "application/problem+json"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True)
class Door:
    """Who may come in: `token` as the bearer token, `hosts` as the names this computer is called by ("*": any)."""

    token: str
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")


class Doorkeeper:
    """Looks at the token and at the size before anything is read."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], token: str) -> None:
        self.app = app
        self.token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        refusal = self._refusal(scope["path"], headers)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self.app(scope, _measured(receive), _plain(send))

    def _refusal(self, path: str, headers: Mapping[bytes, bytes]) -> "JSONResponse | None":
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        if path not in OPEN and not (scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self.token)):
            return problem(
                401, "The token is missing or wrong.", "Send it as `Authorization: Bearer TOKEN`.",
                {"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > BODY_BYTES:
            return _too_large()
        return None


def _measured(receive: Receive) -> Receive:
    """A body that says less of its length than it has is cut off, too."""
    from starlette.exceptions import HTTPException

    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > BODY_BYTES:
            raise HTTPException(413, f"More than {BODY_BYTES // 10**6} MB were sent.")
        return message

    return counted


def _plain(send: Send) -> Send:
    """Nothing is kept by whoever asked in between, and no browser guesses what it is."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            more = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await send(message)

    return sent


def _too_large() -> "JSONResponse":
    return problem(413, f"More than {BODY_BYTES // 10**6} MB were sent.", "Send one image, compressed.")


def problem(status: int, message: str, advice: str, headers: Mapping[str, str] | None = None) -> "JSONResponse":
    """What went wrong, in words (RFC 9457)."""
    from fastapi.responses import JSONResponse

    content = {
        "type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": message,
        "advice": advice,
    }  # fmt: skip
    return JSONResponse(content, status, dict(headers or {}), PROBLEM)
