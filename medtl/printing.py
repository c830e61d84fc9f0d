"""What the command line prints of an answer without `--json`: one function a kind of answer. Works nothing out."""

import json
from typing import Any

from medtl.commands import Answer
from medtl.evaluation.paired import p_in_words
from medtl.strategies.strategy import FAMILIES


def plain(answer: Answer) -> None:
    for key, value in answer.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            print(f"{key}:")
            for entry in value:
                print("  " + "  ".join(f"{k}={_short(v)}" for k, v in entry.items() if v not in (None, "", [], {})))
        elif isinstance(value, list) and value and isinstance(value[0], str):
            print(f"{key}:")
            for number, line in enumerate(value, 1):
                print(f"  {number}. {line}")
        else:
            print(f"{key}: {_short(value)}")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
    return text if len(text) <= 160 else text[:157] + "..."


def runs(answer: Answer) -> None:
    if answer.get("chosen"):
        print(f"Chosen: {answer['chosen']}. {answer['chosen_says']}")
    for run in answer["runs"]:
        one_run(run)


def compared(answer: Answer) -> None:
    print(answer["says"])
    print(f"Compared with: {answer['reference']}, {answer['reference_why'].rstrip('.')}.")
    for row in answer["rows"]:
        auroc = next((e for e in row["estimates"] if e["name"] == "auroc"), None)
        reached = f"{auroc['value']:.3f}  ({auroc['low']:.3f} to {auroc['high']:.3f})" if auroc else "no AUROC"
        cost = f"{row['seconds']:.0f} s" if row["seconds"] is not None else ""
        tune = f"tune part: AUROC {row['tune_auroc']:.3f}, log-loss {row['tune_loss']:.3f}"
        print(f"  {row['run']}  {reached}  {cost:>7}  {tune}  {row['name']}")
    for pair in answer["pairs"]:
        print(f"  {pair['says']}")
        for called in pair["calls"]:
            gap, p = called["difference"], "" if called["p"] is None else f"; {p_in_words(called['p'])}"
            print(
                f"    {called['name']} at the frozen thresholds: {gap['value']:+.3f} ({gap['low']:+.3f} to "
                f"{gap['high']:+.3f}; {called['how']}{p}); only the first right in {called['only_first']}, only the "
                f"second in {called['only_second']} of {gap['n']}"
            )
    for note in answer["notes"]:
        print(f"  {note}")


def one_run(run: Answer) -> None:
    print(f"{run['run']}: {run['status']}. {run.get('sentence') or run.get('says') or ''}")
    for e in run.get("estimates", ()):
        print(f"  {e['name']:<24} {e['value']:.3f}  ({e['low']:.3f} to {e['high']:.3f}; n = {e['n']}; {e['how']})")
    for caveat in run.get("caveats") or ():
        print(f"  {caveat}")
    if run.get("small_test"):
        print(f"  {run['small_test']}")
    for guard in run.get("guards") or ():
        print(f"  {guard['says']}")
    for name in ("cross_validated", "learning_curve"):
        if run.get(name):
            print(f"  {run[name]['says']}")
    if run.get("robustness"):
        print(f"  {run['robustness']['says']}")
    for other in run.get("externals") or ():
        print(f"  Tested on '{other['title']}' ({other['cases']} images): evaluate {run['run']} {other['cohort']}")
    if run.get("message"):
        print(f"  {run['message']} {run.get('advice', '')}")


def predictions(answer: Answer) -> None:
    if "csv" in answer:
        halted = " before it was stopped" if answer["stopped"] else ""
        print(
            f"{answer['images']:,} images in {answer['seconds']:.0f} s{halted}: {answer['answered']:,} answered, "
            f"{answer['undecided']:,} cannot tell, {answer['refused']:,} of another kind, {answer['unreadable']:,} not "
            f"readable; {answer['pooled']:,} patients or series. Written to {answer['csv']}"
        )
        return
    for one in answer["predictions"]:
        frame = "" if one["frame"] is None else f", frame {one['frame']}"
        scores = ", ".join(f"{name} {score:.2f}" for name, score in one["scores"].items())
        print(f"{one['file']}{frame}: {one['says']}" + (f" ({one['word']}s: {scores})" if scores else ""))
        for more in (one["known"], one["explanation"]):
            if more:
                print(f"  {more}")
    print(answer["frozen"]["gate"])
    for one in answer.get("objects", ()):
        print(f"  {one['kind']} of image {one['image']}: {one['file']}")
    for one in answer.get("left_out", ()):
        print(f"  no {one['kind']} of image {one['image']}: {one['why']} {one['advice']}")
    for one in answer.get("doubts", ()):
        print(f"  image {one['image']}: {one['says']}")


def watched(answer: Answer) -> None:
    for line in answer["says"]:
        print(line)
    for row in answer["agreement"]:
        print(f"  {row['period']}: {row['says']}")
    for row in answer["weeks"]:
        print(f"  week of {row['week']}: {row['says']}")


def robustness(answer: Answer) -> None:
    print(answer["says"])
    found = answer["robustness"]
    if not found:
        return
    plain = found["auroc"]
    patients = f" of {found['patients']} patients" if found["patients"] is not None else ""
    print(
        f"  {'unchanged':<28} AUROC {plain['value']:.3f} ({plain['low']:.3f} to {plain['high']:.3f}; "
        f"{found['cases']} test images{patients}; {plain['how']})"
    )
    for row in found["rows"]:
        fall, changed = row["fall"], row["changed"]
        print(
            f"  {row['name']:<28} AUROC {row['auroc']['value']:.3f}, fall {fall['value']:+.3f} ({fall['low']:+.3f} to "
            f"{fall['high']:+.3f}), {changed['value']:.0%} of calls change  {row['does']}"
        )
    for note in found["notes"]:
        print(f"  {note}")


def external(answer: Answer) -> None:
    found = answer["external"]
    if not found:
        print(answer["says"])
        return
    patients = f" of {found['patients']} patients" if found["patients"] is not None else ""
    counts = ", ".join(f"{n} {name}" for name, n in found["counts"].items())
    print(f"External test on '{found['title']}': {found['cases']} images{patients} ({counts}); everything was frozen.")
    for why, ids in found["excluded"].items():
        print(f"  left out: {len(ids)}, {why}")
    home = {e["name"]: e for e in answer["internal_estimates"]}
    for e in answer["estimates"]:
        at_home = f"  internal test {home[e['name']]['value']:.3f}" if e["name"] in home else ""
        interval = f"({e['low']:.3f} to {e['high']:.3f}; n = {e['n']}; {e['how']})"
        print(f"  {e['name']:<24} {e['value']:.3f}  {interval}{at_home}")
    print(
        f"  unlike the training images: {found['external']['refused']:.0%} here, {found['internal']['refused']:.0%} in "
        "the internal test"
    )
    for note in found["notes"]:
        print(f"  {note}")


def explained(answer: Answer) -> None:
    """The badges as a table; where the maps lie; what is of one case or one network only."""
    for check in answer.get("checks") or ():
        passed = {True: "passed", False: "not passed", None: "cannot be told"}[check["passed"]]
        print(f"  {check['title']:<26} {passed:<15} {check['says']}")
    for share in answer.get("shares") or ():
        print(f"  {share['title']:<26} {'look' if share['alarm'] else '':<15} {share['says']}")
    if states := answer.get("states"):
        print("  maps: " + ", ".join(f"{n} {name}" for name, n in states.items()))
    for one in answer.get("maps") or ():
        print(f"  {one['label']:<26} {one['state']:<15} {one['file'] or one['says']}")
    for way in answer.get("ways") or ():
        print(f"  {way['id']:<22} {way['passes']:>7.0f} x a forward pass   {way['says']}")
    if layers := answer.get("layers"):
        print(f"  layers: {', '.join(layers)}")
    for note in answer.get("notes") or ():
        print(f"  {note}")
    if not answer.get("ways"):
        print("  A map shows where the network looked, not where the disease is.")


def strategies(answer: Answer) -> None:
    """By family; what each says of itself, and its settings with their ranges, are in `--json`."""
    for family, title in FAMILIES.items():
        print(f"{title}:")
        for one in answer["strategies"]:
            if one["family"] == family:
                print(f"  {one['id']:<15} {one['title']}")
    print("What each does, its limits and its settings: docs/strategies.md, or with --json.")


def all_runs(answer: Answer) -> None:
    for run in answer["runs"]:
        auroc = run["headline"]
        number = f"  AUROC {auroc['value']:.3f} ({auroc['low']:.3f} to {auroc['high']:.3f})" if auroc else ""
        print(f"{run['run']}  {run['status']:<11}  {run['title']}{number}")
    if not answer["runs"]:
        print("There is no run yet.")


def ranking(answer: Answer) -> None:
    print(answer["says"])
    for row in answer["sources"]:
        if row["score"] is not None:
            interval = f"({row['low']:.3f} to {row['high']:.3f})"
            marks = [row["nearness"]] if row["nearness"] else []
            marks += ["recommended"] if row["id"] == answer["recommended"] else []
            marks += ["cannot be told from it"] if row["id"] in answer["tied"] else []
            marks += [f"has seen {row['seen']} of your images"] if row["seen"] else []
            print(f"  {row['id']:<28} {row['score']:.3f}  {interval}  {', '.join(marks)}".rstrip())
        elif row.get("title") and row["says"] and "sha256" in row:
            print(f"  {row['id']:<28} not measured: {row['says']}")
    if control := answer["control"]:
        print(f"  {'no transfer':<28} {control['value']:.3f}  ({control['low']:.3f} to {control['high']:.3f})")
    for says in (answer["says_race"], *answer["notes"]):
        if says:
            print(f"  {says}")
