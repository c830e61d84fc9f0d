"""STARD-AI (2025): 40 items, 48 with their parts."""

from medtl.reporting.checklists import Checklist, Item

CHECKLIST = Checklist(
    name="stard",
    title="STARD-AI",
    citation="Sounderajah et al., The STARD-AI reporting guideline for diagnostic accuracy studies using artificial "
    "intelligence, Nat Med 2025;31:3283-3289.",
    checked="Numbers and meanings were held against a transcription of the published Table 2 (CC BY) with all 48 rows.",
    sections=(
        (
            "Title, abstract, introduction",
            (
                Item(
                    "1",
                    "Title or abstract say: diagnostic accuracy of an AI test, with a measure of it.",
                    ("manuscript", "technique"),
                ),
                Item("2", "A structured abstract.", ("manuscript", "summary")),
                Item(
                    "3",
                    "Background, intended use, new test or established, place in the workflow.",
                    ("question", "use"),
                ),
                Item("4", "Aims and hypotheses.", ("goal",)),
            ),
        ),
        (
            "Methods: design and participants",
            (
                Item("5", "Data collection planned before or after the tests were done.", ("design",)),
                Item("6", "Ethics approval, or why none was needed.", ("ethics",)),
                Item(
                    "7",
                    "Inclusion and exclusion, of participants and of data, in order.",
                    ("included", "subset", "missing"),
                ),
                Item("8", "On what basis participants were found.", ("included",)),
                Item("9", "Where and when.", ("where",)),
                Item("10", "Consecutive, random or convenience series.", ("included",)),
            ),
        ),
        (
            "Methods: data",
            (
                Item("11", "Source of the data: routine, collected for this, or public.", ("where", "files")),
                Item("12", "Who annotated, with which experience, and how.", ("labelled",)),
                Item(
                    "13",
                    "Devices that took the images; software of the test with version.",
                    ("acquisition", "software"),
                ),
                Item("14", "How data were acquired and prepared.", ("where", "preprocessing")),
            ),
        ),
        (
            "Methods: tests",
            (
                Item("15a", "The index test, so that it can be repeated.", ("architecture", "training", "repeatable")),
                Item("15b", "How it was developed and tested, with sizes.", ("split", "training")),
                Item("15c", "Cut-offs of the index test: why, and fixed beforehand or explored.", ("threshold",)),
                Item("15d", "Who is to use it, and what they must know.", ("use",)),
                Item("16a", "The reference standard, so that it can be repeated.", ("labelled",)),
                Item("16b", "Why this reference standard.", ("labelled",)),
                Item("16c", "Cut-offs of the reference standard.", ("reference-cutoff",)),
                Item("17a", "What those who ran the index test knew.", ("blind-index",)),
                Item("17b", "What those who set the reference standard knew.", ("blinding-reference",)),
            ),
        ),
        (
            "Methods: analysis",
            (
                Item("18", "How accuracy was estimated or compared.", ("metrics", "uncertainty")),
                Item("19", "How indeterminate results were handled.", ("indeterminate",)),
                Item("20", "How missing data were handled.", ("missing",)),
                Item("21", "Analyses of variability.", ("robust", "clusters", "readers")),
                Item("22", "Sample size and how it was settled.", ("sample-size",)),
                Item("23", "Analysis of errors, of bias and of fairness.", ("failures", "fairness")),
            ),
        ),
        (
            "Results",
            (
                Item("24", "Flow of participants as a diagram.", ("flow",)),
                Item("25", "Traits of the train, tune and test part.", ("demographics",)),
                Item("26a", "How severe the disease was in those who had it.", ("severity",)),
                Item("26b", "Other diagnoses in those who did not.", ("alternatives",)),
                Item("27", "Time and treatment between the two tests.", ("interval-between",)),
                Item("28", "Whether the data have the share of disease expected in use.", ("representative",)),
                Item("29", "How an external set differs, if there is one.", ("external",)),
                Item("30", "Index test against reference standard in a table.", ("two-by-two",)),
                Item("31", "Accuracy with its precision.", ("performance",)),
                Item("32", "Harm done by either test.", ("adverse",)),
            ),
        ),
        (
            "Discussion",
            (
                Item("33", "Limits: bias, uncertainty, generality.", ("limits", "weaknesses")),
                Item("34", "What follows for practice.", ("use", "manuscript")),
                Item("35", "Ethics of its use, and fairness.", ("ethics", "fairness")),
            ),
        ),
        (
            "Other",
            (
                Item("36", "Registration.", ("registration",)),
                Item("37", "Where the protocol is.", ("protocol",)),
                Item("38", "Funding.", ("funding",)),
                Item("39", "Commercial interests.", ("conflicts",)),
                Item("40a", "Availability of data and code.", ("data-sharing", "repeatable")),
                Item("40b", "Whether outputs are stored and can be audited.", ("audit",)),
            ),
        ),
    ),
)
