"""What is written of a finished run, for readers and for other programs."""

import argparse
from pathlib import Path

from medtl.commands import sources, typed
from medtl.commands.typed import Answer
from medtl.errors import BadInput
from medtl.workspace import Workspace, write_whole


def report(ws: Workspace, options: argparse.Namespace) -> Answer:
    """Stores answers, writes the report, or both; without either it says what is still unanswered."""
    from medtl.reporting import answers, papers
    from medtl.runs import store

    folder = store.folder(ws, options.run)
    given = answers.from_toml(Path(options.answers)) if options.answers else {}
    given |= typed.pairs(options.answer, "KEY=TEXT", "--answer ethics='waiver 12/2024'", empty=True)
    stated = answers.save(folder, given) if given else answers.load(folder)
    if options.out:
        papers.write_report(ws, options.run, Path(options.out), pictures=not options.no_images)
    return {
        "run": options.run,
        "file": options.out,
        "answers": stated,
        "not_stated": {one.key: one.asks for one in answers.QUESTIONS if one.key not in stated},
    }


def card(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.reporting import papers

    papers.write_card(ws, options.run, Path(options.out))
    return {"run": options.run, "file": options.out}


def checklist(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.reporting import papers

    counts = papers.write_checklist(ws, options.run, options.name, Path(options.out))
    return {"run": options.run, "checklist": options.name, "file": options.out, "items": counts}


def export(ws: Workspace, options: argparse.Namespace) -> Answer:
    if options.as_source:
        return _export_as_source(ws, options)
    if options.card:
        raise BadInput("A card goes with --as-source only.", "Leave --card out, or export as a source.")
    if options.mlflow:
        from medtl.reporting import content, mlflow

        made = mlflow.write(content.read(ws, options.run), ws, Path(options.mlflow))
        return {"run": options.run, "folder": str(options.mlflow), "run_folder": str(made)}
    return _export_file(ws, options.run, Path(options.out))


def _export_file(ws: Workspace, run: str, out: Path) -> Answer:
    from dataclasses import asdict

    from medtl.reporting import content, exporting, recipes
    from medtl.runs import results

    if not out.parent.is_dir():
        raise BadInput(f"There is no folder '{out.parent}'.", "Make it first, or name another place.")
    match out.suffix.lower():
        case ".onnx" | ".zip":
            from medtl.training.machine import share_the_cores

            share_the_cores()
            proof = exporting.onnx(ws, run, out)
            return {"run": run, "file": str(out), "selftest": asdict(proof), "says": proof.says}
        case ".json":
            recipes.write(content.read(ws, run), out)
        case ".csv":
            write_whole(out, (content.read(ws, run).result.folder / results.PREDICTIONS).read_bytes())
        case ending:
            raise BadInput(
                f"A run cannot be exported as '{ending[:12]}'.",
                "End the name in .zip or .onnx (the model), .json (the recipe) or .csv (the scores).",
            )
    return {"run": run, "file": str(out)}


def _export_as_source(ws: Workspace, options: argparse.Namespace) -> Answer:
    import tomllib

    from medtl.runs import store
    from medtl.sources.trained import export_as_source

    card = {}
    if options.card:
        try:
            card = tomllib.loads(Path(options.card).read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadInput(f"The card '{options.card}' cannot be read ({error}).", "Give a TOML file.") from error
    source = export_as_source(store.folder(ws, options.run), Path(options.as_source), card)
    return {**sources.described(source), "folder": str(options.as_source)}
