"""Runs: which there are, how one goes, stop, resume, delete."""

import argparse
import time

from medtl.commands import aloud
from medtl.commands.typed import Answer
from medtl.workspace import Workspace


def listed(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.runs import store
    from medtl.vocabulary import to_dict

    return {"runs": [{**to_dict(summary), "run": summary.id} for summary in store.runs(ws)]}


def show(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.runs import results

    return results.describe(ws, options.run)


def stop(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.runs import results, status, store

    folder = store.folder(ws, options.run)
    if status.status(folder) in ("waiting", "running"):
        store.request_stop(folder)
        deadline = time.monotonic() + 60
        while status.status(folder) in ("waiting", "running") and time.monotonic() < deadline:
            time.sleep(0.1)
    return results.describe(ws, options.run)


def resume(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import start
    from medtl.runs import results

    start.resume(ws, options.run)
    if not options.detach:
        aloud.follow(ws, options.run)
    return results.describe(ws, options.run)


def delete(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.runs import store

    return {"deleted": options.run, "bytes": store.delete(ws, options.run)}
