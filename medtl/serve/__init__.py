"""One finished run behind HTTP, so that another program on this computer can ask: `python -m medtl serve RUN`.

Loopback only unless a token was chosen, a bearer token always, nothing kept of what was sent and nothing of it logged.
The network runs in the consultant's process; here is only the door. An answer is what `predict` prints, passed through.
"""

import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import medtl
from medtl.errors import BadInput
from medtl.serve.app import create_app
from medtl.serve.description import USE
from medtl.serve.door import Door
from medtl.workspace import Workspace, write_whole

SHORTEST_TOKEN = 16  # characters
LOOPBACK = ("127.0.0.1", "localhost", "::1")
TOKEN_FILE = "serve.token"
VARIABLE = "MEDTL_TOKEN"
CONNECTIONS = 32  # at a time, those that still send included


def serve(ws: Workspace, run: str, host: str = "127.0.0.1", port: int = 8600, token: str = "") -> None:
    """Answer until interrupted. Raises BadInput where it would be open to others without a chosen token."""
    import uvicorn

    from medtl.consulting import Consultant

    token = token or os.environ.get(VARIABLE, "")
    check_open(host, token)
    check_free(host, port)
    card = describe(ws, run)
    ws.ensure()
    door = Door(token or own_token(ws)) if host in LOOPBACK else Door(token, ("*",))
    tempfile.tempdir = str(ws.spool)  # what is sent never lies outside the workspace, not even for a moment
    consultant = Consultant(ws)
    consultant.warm(run)

    def ask(path: Path, explain: str | None) -> Mapping[str, Any]:
        every = consultant.predict(run, [str(path)], explain)["predictions"]
        said: Mapping[str, Any] = every[len(every) // 2]  # of a clip the middle frame
        for other in every:
            if other is not said and other.get("picture"):
                Path(other["picture"]).unlink(missing_ok=True)
        return said

    try:
        app = create_app(ask, card, door, ws.spool)
        uvicorn.run(
            app,
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
        )
    finally:
        consultant.close()


def check_open(host: str, token: str) -> None:
    if host not in LOOPBACK and not token:
        raise BadInput(
            f"The address {host} can be reached by other computers, and no token was chosen.",
            f"Choose one of at least {SHORTEST_TOKEN} characters with --token or {VARIABLE}, or leave --host out.",
        )
    if token and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token):
        raise BadInput(
            f"The token has {len(token)} characters or some that cannot be sent.",
            f"Take at least {SHORTEST_TOKEN} letters and digits, without blanks.",
        )


def check_free(host: str, port: int) -> None:
    """Raises BadInput where the port is taken, or is not ours to take."""
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as error:
        raise BadInput(
            f"Port {port} at {host} cannot be taken; another program may use it.", "Try --port 8601."
        ) from error


def own_token(ws: Workspace) -> str:
    """The token of this workspace, made on first use, for the eyes of its owner only."""
    path = ws.home / TOKEN_FILE
    if not path.exists():
        ws.ensure()
        write_whole(path, secrets.token_urlsafe(32))  # a new file is 0600 from the start
        path.chmod(0o600)
    return path.read_text("ascii").strip()


def describe(ws: Workspace, run: str) -> dict[str, Any]:
    """What /model says: what it is for, how it was tested, where it decides."""
    from medtl.reporting import answers
    from medtl.runs import results, store
    from medtl.sources import library

    folder = store.folder(ws, run)
    result = results.load(folder)
    source = library.from_run(folder)
    said = results.describe(ws, run)
    stated = answers.load(folder)
    return {
        "run": run,
        "title": result.recipe.title,
        "version": medtl.__version__,
        "task": source.task,
        "classes": list(source.labels),
        "weights_sha256": source.sha256,
        "research_use": USE,
        "intended_use": stated.get("use") or answers.NOT_STATED,
        "clinical_question": stated.get("question") or answers.NOT_STATED,
        **{key: said[key] for key in ("threshold", "estimates", "sentence", "small_test", "caveats", "parts")},
    }
