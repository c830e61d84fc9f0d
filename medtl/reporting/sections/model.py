"""What was transferred and how: source, network, strategy, the plan that was carried out, and what it was made with."""

from medtl.reporting import answers, saying
from medtl.reporting.content import Facts
from medtl.reporting.document import Bullets, Section, Table, Text


def model(facts: Facts) -> Section:
    source, recipe = facts.source, facts.recipe
    rows = [("source", facts.source_title)]
    if source:
        rows += [
            ("what it is", source.card.says),
            ("learned from", f"{source.trained_on}; {source.cases}"),
            ("its limits", source.card.limits or answers.NOT_STATED),
            ("reference", source.card.reference or answers.NOT_STATED),
            ("licence", ". ".join(filter(None, (source.licence, source.attribution)))),
        ]
    else:
        rows.append(("what it is", "The source was deleted since this run; its hash is in section Technical."))
    rows += [
        ("network", f"{facts.model.builder}, {facts.model.outline.parameters / 1e6:.1f} million values"),
        ("input", saying.preprocessing(facts)),
        ("strategy", f"{facts.strategy.title}. {facts.strategy.says}"),
        ("strategy's reference", facts.strategy.reference or "none"),
        ("settings", "; ".join(f"{name} = {value}" for name, value in recipe.settings.items()) or "none"),
        ("seed", str(recipe.seed)),
    ]
    if recipe.budget:
        rows.append(("time budget", f"{recipe.budget:.0f} s"))
    if recipe.group:
        chosen = "; of these the best on the tune part is the result" if recipe.automatic else ""
        rows.append(("group", f"started together with the other runs of group {recipe.group}{chosen}"))
    if recipe.unlabelled:
        rows.append(("unlabelled images", f"cohort {recipe.unlabelled}"))
    if recipe.teacher:
        rows.append(("teacher", f"run {recipe.teacher}"))
    if recipe.advised:
        rows.append((
            "recommended by MedTL",
            f"{recipe.advised.get('source')}, {recipe.advised.get('strategy')} ({recipe.advised.get('basis')})",
        ))
    return Section(
        "model",
        "Source, strategy and training",
        (
            Table("What was transferred, and how", (), tuple(rows), (1, 3)),
            Text("The plan that was carried out:"),
            Bullets(facts.plan),
        ),
    )


def technical(facts: Facts) -> Section:
    recipe, result = facts.recipe, facts.result
    seconds = ", ".join(f"{name} {value:.0f} s" for name, value in result.seconds.items())
    rows = (
        ("run", recipe.run),
        ("started, finished", f"{saying.day(recipe.created)}; {saying.day(facts.finished)}"),
        ("device", result.device or recipe.device),
        ("time", seconds),
        ("peak memory", f"{result.peak_memory_mb:,.0f} MB" if result.peak_memory_mb else "not recorded"),
        ("versions", ", ".join(f"{name} {version}" for name, version in recipe.versions.items())),
        ("cohort", f"{facts.cohort.id}, SHA-256 of its contents {facts.fingerprint}"),
        ("source", f"{recipe.source}, SHA-256 {recipe.source_sha256 or 'none'}"),
        ("weights of this run", f"SHA-256 {facts.model.sha256}"),
        (
            "to repeat",
            f"python -m medtl export {recipe.run} --out recipe.json, then python -m medtl train --recipe recipe.json",
        ),
    )
    return Section("technical", "Technical", (Table("What it was made with", (), rows, (1, 4)),))
