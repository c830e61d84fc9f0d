"""CLAIM, update of 2024: 44 items. The numbers follow a secondary listing, see `checked`."""

from medtl.reporting.checklists import Checklist, Item

CHECKLIST = Checklist(
    name="claim",
    title="CLAIM 2024",
    citation="Tejani et al., Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 Update, Radiol "
    "Artif Intell 2024;6(4):e240300.",
    checked="Numbers and meanings follow a secondary listing of the 44 items and the published text of CLAIM 2020 "
    "(Mongan et al., Radiol Artif Intell 2020;2(2):e200029); the published table of 2024 itself could not be read. "
    "Check the numbers before you submit.",
    sections=(
        (
            "Title and abstract",
            (
                Item("1", "The title says that AI is studied, and of which kind.", ("manuscript", "technique")),
                Item(
                    "2",
                    "A structured abstract: design, population, parts, statistics, results.",
                    ("manuscript", "summary"),
                ),
            ),
        ),
        (
            "Introduction",
            (
                Item("3", "The clinical background, and the role the model is meant to have.", ("question", "use")),
                Item("4", "Aims, and hypotheses if there are any.", ("question", "goal")),
            ),
        ),
        (
            "Methods: design and data",
            (
                Item("5", "Prospective or retrospective.", ("design",)),
                Item("6", "What the study is for: making a model, feasibility, a trial.", ("goal",)),
                Item("7", "Where the data come from, with links to public ones.", ("where", "files")),
                Item("8", "Who was eligible: inclusion and exclusion.", ("included", "subset")),
                Item("9", "What was done to the images before the model saw them.", ("preprocessing",)),
                Item("10", "How a part of the data was chosen, if it was.", ("subset",)),
                Item("11", "How data were de-identified.", ("deidentified",)),
                Item("12", "What was done about missing data.", ("missing",)),
                Item("13", "How the images were acquired: scanners, protocols, resolution.", ("where", "acquisition")),
            ),
        ),
        (
            "Methods: reference standard",
            (
                Item("14", "What the reference standard is, so that it can be repeated.", ("labelled",)),
                Item("15", "Why this reference standard and no other.", ("labelled",)),
                Item("16", "Who labelled, with which qualification and instruction.", ("labelled",)),
                Item("17", "How the test cases were labelled, with which tools.", ("labelled",)),
                Item("18", "How far those who labelled agree, and how disagreement was settled.", ("variability",)),
            ),
        ),
        (
            "Methods: parts",
            (
                Item("19", "How cases were divided, in which proportions, and why.", ("split", "imbalance")),
                Item("20", "At which level the parts are disjoint: image, study, patient, site.", ("disjoint",)),
                Item("21", "How the size of the test part was settled.", ("sample-size",)),
            ),
        ),
        (
            "Methods: model and training",
            (
                Item("22", "The model in full: inputs, outputs, layers.", ("architecture", "output")),
                Item("23", "Software with versions.", ("software",)),
                Item("24", "How weights began, and from which source they were transferred.", ("initialised",)),
                Item("25", "How it was trained: augmentation, settings, when it stopped.", ("training",)),
                Item("26", "How the final model was chosen.", ("selection",)),
                Item("27", "If several models answer together, how.", ("ensemble",)),
            ),
        ),
        (
            "Methods: evaluation",
            (
                Item(
                    "28",
                    "Which measures of performance, and against what they are compared.",
                    ("metrics", "comparator", "readers"),
                ),
                Item("29", "How sure the numbers are: intervals and tests.", ("uncertainty",)),
                Item("30", "Robustness or sensitivity analysis.", ("robust",)),
                Item("31", "How the model is explained, and how that was checked.", ("explained",)),
                Item("32", "Evaluation on internal data.", ("internal",)),
                Item("33", "Test on external data, or why there is none.", ("external",)),
                Item("34", "Registration, if it is a clinical trial.", ("registration",)),
            ),
        ),
        (
            "Results",
            (
                Item("35", "Numbers included and excluded, with a flow diagram.", ("flow",)),
                Item("36", "Demographic and clinical traits of each part.", ("demographics",)),
                Item(
                    "37",
                    "Performance against the reference standard, by part and subgroup.",
                    ("performance", "fairness"),
                ),
                Item("38", "Accuracy with 95 % intervals.", ("performance", "uncertainty")),
                Item("39", "Analysis of wrong answers.", ("failures", "two-by-two")),
            ),
        ),
        (
            "Discussion",
            (
                Item("40", "Limits: bias, uncertainty, how far it generalises.", ("limits", "weaknesses")),
                Item("41", "What follows for practice, intended use included.", ("use", "manuscript")),
            ),
        ),
        (
            "Other",
            (
                Item("42", "Where the full protocol or further technical detail is.", ("protocol", "repeatable")),
                Item("43", "Whether software, model and data are available.", ("data-sharing", "repeatable")),
                Item("44", "Funding, and the part the funders had.", ("funding",)),
            ),
        ),
    ),
)
