"""The process that opens networks nobody has vouched for: `python -m medtl.sources.receiver`, which `receiving` starts.

It has limits on memory, processor time and what it writes, and an alarm clock. A line of JSON says what to look at; a
line of JSON answers. What it makes lies in the folder it was given: architecture without weights, and safetensors.
"""

import contextlib
import errno
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from medtl.errors import BadInput, MedtlError
from medtl.sources import cards, limits

Message = dict[str, Any]
TOO_MUCH = BadInput(
    f"Looking through it takes more than the {limits.MEMORY_BYTES // limits.GB} GB of memory one network may take.",
    "Bring a smaller network.",
)
TOO_LONG = BadInput("What would be kept of it is larger than a network may be.", "Bring a smaller network.")


def main() -> None:
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)  # a library that prints must not speak for us
        signal.alarm(round(2 * limits.SECONDS))  # should whoever started us be gone while we hang, we end by ourselves
        out.write(json.dumps(_answer(json.loads(sys.stdin.readline()))) + "\n")


def _answer(question: Message) -> Message:
    try:
        return {"answer": DESKS[question["desk"]](question)}
    except MedtlError as error:
        wrong = error
    except MemoryError:
        wrong = TOO_MUCH
    except OSError as error:
        wrong = TOO_LONG if error.errno == errno.EFBIG else BadInput("It cannot be kept.", error.strerror or "")
    except Exception as error:  # noqa: BLE001 - libraries fail on odd files in their own ways; nothing is made then
        wrong = BadInput(f"It could not be looked through ({type(error).__name__}).", "Export it again.")
    return {"error": type(wrong).__name__, "message": wrong.message, "advice": wrong.advice}


def limit() -> None:
    """What a hostile file may cost from here on. Some systems know no such limits; the clock holds there, too."""
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _at_most(resource.RLIMIT_AS, pages * resource.getpagesize() + limits.MEMORY_BYTES)
    with contextlib.suppress(OSError, ValueError):
        _at_most(resource.RLIMIT_CPU, round(limits.CPU_SECONDS))
    with contextlib.suppress(OSError, ValueError):
        _at_most(resource.RLIMIT_FSIZE, 2 * limits.FILE_BYTES)  # numbers of 16 bits become such of 32
    with contextlib.suppress(OSError, ValueError):
        _at_most(resource.RLIMIT_CORE, 0)


def _at_most(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


# ---- network: an ONNX or Keras file ----------------------------------------------------------------------------------


def network(question: Message) -> Message:
    """The file as architecture and weights in `folder`; what was kept is made and filled again before it counts."""
    library = reader_of(question["kind"])
    limit()
    from safetensors.torch import save_file

    from medtl.sources.foreign import Stated, outlined
    from medtl.sources.weights import fill_trunk, read_safetensors

    said = question["stated"]
    mean, std = (tuple(said[name]) if said[name] else None for name in ("mean", "std"))
    brought = library.bring(Path(question["path"]), Stated(mean, std, said["size"], said["range"]))
    place = Path(question["folder"])
    weights, graph = place / cards.WEIGHTS, place / cards.GRAPHS[question["kind"]]
    graph.write_bytes(brought.graph)
    save_file({key: value.detach().contiguous() for key, value in brought.network.trunk.state_dict().items()}, weights)
    fill_trunk(library.build(graph, brought.input, 2), read_safetensors(weights))
    outline = outlined(brought.network, brought.input)
    return {"input": asdict(brought.input), "outline": asdict(outline), "notes": brought.notes}


# ---- folder: a source somebody gave away -----------------------------------------------------------------------------


def folder(question: Message) -> Message:
    """The copies in `folder`, checked; what need not be kept is gone from there."""
    import torch  # noqa: F401 - before the limit: it takes address space that says nothing of the folder

    limit()
    from medtl.sources import shared

    return asdict(shared.checked(Path(question["folder"])))


# ----------------------------------------------------------------------------------------------------------------------


def reader_of(kind: str) -> ModuleType:
    """The module that reads this kind of file, with the libraries it needs loaded: they are no stranger's, and take
    address space that says nothing of the file."""
    import torch  # noqa: F401

    if kind == "onnx":
        import onnx2torch  # noqa: F401
        import onnxruntime  # noqa: F401

        from medtl.sources import onnx_nets

        return onnx_nets
    from medtl.sources import keras_nets

    keras_nets.loaded("A .keras file")
    return keras_nets


DESKS: dict[str, Callable[[Message], Message]] = {"network": network, "folder": folder}

if __name__ == "__main__":
    main()
