"""The endpoint as an ASGI application: what is asked, what is answered, and how it is said when it cannot be.

It opens no image and knows no network: it looks at the first bytes, hands a file of its own over, and deletes it.
"""

import asyncio
import math
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import medtl
from medtl.errors import BadInput, MedtlError
from medtl.serve.description import ANSWER, EXPLAIN, KINDS, USE, page, problems
from medtl.serve.door import Door, Doorkeeper, problem

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.responses import JSONResponse

WAITING = 8  # questions at a time; the consultant answers them one after the other
TYPES = (
    "image/png", "image/jpeg", "image/bmp", "image/x-ms-bmp", "image/tiff", "application/dicom",
    "application/octet-stream",
)  # fmt: skip

Ask = Callable[[Path, str | None], Mapping[str, Any]]


def create_app(ask: Ask, card: Mapping[str, Any], door: Door, spool: Path) -> "FastAPI":
    """The door as an ASGI application. `ask` may block; it gets a file of ours and a class to explain, or None."""
    from fastapi import FastAPI, File, Query, Request, Security, UploadFile
    from fastapi.concurrency import run_in_threadpool
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import HTMLResponse, JSONResponse
    from fastapi.security import HTTPBearer
    from starlette.exceptions import HTTPException
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    app = FastAPI(
        title="MedTL", version=medtl.__version__, description=USE, docs_url=None, redoc_url=None, responses=problems()
    )
    app.add_middleware(Doorkeeper, token=door.token)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(door.hosts), www_redirect=False)
    signed = [Security(HTTPBearer(auto_error=False))]  # for the description; the doorkeeper checks
    free = asyncio.Semaphore(WAITING)

    @app.get("/health", summary="Whether it is up")
    async def health() -> dict[str, str]:
        return {"status": "ok", "version": medtl.__version__}

    @app.get("/model", summary="What the model is for, and how it was tested", dependencies=signed)
    async def model() -> dict[str, Any]:
        return dict(card)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page(app.openapi()), headers={"Content-Security-Policy": "default-src 'none'"})

    @app.post(
        "/predict",
        summary="Ask about one image",
        dependencies=signed,
        response_class=JSONResponse,
        responses={200: {"description": "The answer, as `medtl predict --json` prints it", "content": ANSWER}},
    )
    async def predict(
        file: Annotated[UploadFile, File(description=KINDS)],
        explain: Annotated[str, Query(max_length=200, description=EXPLAIN)] = "",
    ) -> JSONResponse:
        if explain and explain != "predicted" and explain not in card["classes"]:
            return problem(422, f"This run knows no class '{explain}'.", f"Its classes: {', '.join(card['classes'])}.")
        if (file.content_type or "").split(";")[0].strip().lower() not in TYPES:
            return problem(415, "The type of the file is not one that is taken.", f"Send one of: {', '.join(TYPES)}.")
        if free.locked():
            return problem(503, "Too many questions at a time.", "Ask again in some seconds.", {"Retry-After": "5"})
        async with free:
            data = await file.read()
            return await run_in_threadpool(_answered, data, explain or None, ask, spool)

    @app.exception_handler(RequestValidationError)
    async def incomplete(request: Request, error: RequestValidationError) -> JSONResponse:
        at = ", ".join(sorted({".".join(map(str, one["loc"])) for one in error.errors()}))
        return problem(422, f"The question is not complete or not as it should be ({at}).", "See /docs.")

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), "See /docs.", dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        return problem(500, f"Something unexpected went wrong ({type(error).__name__}).", "Ask again.")

    return app


def _answered(data: bytes, explain: str | None, ask: Ask, spool: Path) -> "JSONResponse":
    from fastapi.responses import JSONResponse

    suffix = _suffix(data)
    if suffix is None:
        return problem(415, "What was sent is no image that is read here.", f"Send {KINDS}.")
    handle, name = tempfile.mkstemp(dir=spool, prefix="asked-", suffix=suffix)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        said = ask(Path(name), explain)
    except BadInput as error:
        return problem(422, error.message, error.advice)
    except MedtlError as error:
        return problem(503, error.message, error.advice)
    finally:
        Path(name).unlink(missing_ok=True)
    answer = _outward(said, spool)
    if not answer.get("scores"):
        return problem(422, str(answer.get("why_not") or "The image cannot be read."), "Send another file.")
    return JSONResponse(answer)


def _suffix(data: bytes) -> str | None:
    """The ending that belongs to the content, whatever it was called."""
    from medtl.cohorts.formats.images import SUFFIXES, kind_of
    from medtl.cohorts.formats.inflating import GZIP

    kind = kind_of(data)
    if kind == "NIFTI":
        return ".nii.gz" if data.startswith(GZIP) else ".nii"
    return SUFFIXES[kind][0] if kind else None


def _outward(said: Mapping[str, Any], spool: Path) -> dict[str, Any]:
    """Without names of files: pictures made for the screen are deleted, the image is called "image"."""
    kept: dict[str, Any] = {}
    for key, value in said.items():
        if isinstance(value, str) and value.startswith(f"{spool}{os.sep}"):
            with suppress(OSError):
                Path(value).unlink()
        elif key != "picture":
            kept[key] = _finite(value)
    return {**kept, "file": "image"}


def _finite(value: Any) -> Any:
    """What JSON has no word for (not a number, without end) becomes null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, (list, tuple)) else value
