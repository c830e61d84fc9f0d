"""The clinic's image archive. Nothing is sent or fetched before one is named."""

import argparse
from pathlib import Path
from typing import Any

from medtl.commands import aloud
from medtl.commands.typed import Answer
from medtl.errors import BadInput
from medtl.workspace import Workspace


def name(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import pacs

    password = ""
    if options.password_file:
        try:
            password = Path(options.password_file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput("The file with the password cannot be read.", "Give a text file of one line.") from error
    names = ("host", "port", "called", "calling", "tls", "authority", "receive_port", "web", "user")
    pacs.save(ws, pacs.Settings(**{name: getattr(options, name) for name in names}, password=password))
    return pacs.told(ws)


def show(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import pacs

    return pacs.told(ws)


def forget(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import pacs

    return {"forgotten": pacs.forget(ws)}


def echo(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import pacs

    return pacs.echo(ws, _way(options))


def find(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import pacs
    from medtl.vocabulary import to_dict

    since, _, until = options.date.partition("-")
    query = pacs.Query(
        since, until if "-" in options.date else since, options.modality, options.description, options.patient
    )
    return {"studies": [to_dict(study) for study in pacs.find(ws, query, _way(options))]}


def fetch(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import pacs

    done = pacs.fetch(ws, options.study, Path(options.out), options.label, way=_way(options), move=options.move)
    aloud.say(
        f"These files still name patients. Bring them in with `cohort add {options.out}`, which makes them anonymous, "
        "and then delete the folder."
    )
    return done


def send(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import pacs

    aloud.say(pacs.told(ws)["says"])
    done = pacs.send(ws, [Path(file) for file in options.file], _way(options))
    return {**done, "exit": 2 if done["failed"] else 0}


def _way(options: argparse.Namespace) -> Any:
    return "web" if options.over_web else None
