"""TRIPOD+AI (2024): 27 main items, 52 with their parts; for studies that develop and evaluate a model."""

from medtl.reporting.checklists import Checklist, Item

CHECKLIST = Checklist(
    name="tripod",
    title="TRIPOD+AI",
    citation="Collins et al., TRIPOD+AI statement, BMJ 2024;385:e078378.",
    checked="Numbers and meanings were held against a transcription of the published table (CC BY 4.0) with all 52 "
    "parts. Items on updating a model and on an evaluation elsewhere apply only where that was done.",
    sections=(
        (
            "Title and abstract",
            (
                Item(
                    "1",
                    "The title says: making or evaluating a prediction model, for whom, of what.",
                    ("manuscript", "technique"),
                ),
                Item("2", "The abstract follows TRIPOD+AI for Abstracts.", ("manuscript", "summary")),
            ),
        ),
        (
            "Introduction",
            (
                Item("3a", "The clinical context, diagnostic or prognostic, and why a model.", ("question",)),
                Item("3b", "For whom, at which point of care, used by whom.", ("use",)),
                Item("3c", "Known health inequalities between groups.", ("inequalities",)),
                Item("4", "The aims: development, evaluation or both.", ("goal",)),
            ),
        ),
        (
            "Methods",
            (
                Item(
                    "5a",
                    "Sources of the data for development and evaluation, why these, how representative.",
                    ("where", "files", "representative"),
                ),
                Item("5b", "Dates of the data.", ("where",)),
                Item("6a", "Setting: level of care, number and place of centres.", ("where",)),
                Item("6b", "Who was eligible.", ("included",)),
                Item("6c", "Treatments, if they matter.", ("treatments",)),
                Item(
                    "7",
                    "Preparation and quality checks of the data, alike in all groups or not.",
                    ("preprocessing", "quality"),
                ),
                Item("8a", "What is predicted, how and when it was assessed.", ("labelled", "question")),
                Item("8b", "If assessing it takes judgement: by whom, with which qualification.", ("labelled",)),
                Item("8c", "Whether those who assessed it were blinded.", ("blinding-reference",)),
                Item("9a", "How the predictors were chosen.", ("preprocessing",)),
                Item("9b", "What the predictors are, how and when measured.", ("preprocessing", "blind-index")),
                Item("9c", "If measuring them takes judgement: by whom.", ("blind-index",)),
                Item("10", "How the study size was settled, and that it suffices.", ("sample-size",)),
                Item("11", "How missing data were handled.", ("missing",)),
                Item("12a", "How data were used and divided.", ("split", "disjoint")),
                Item("12b", "How predictors were transformed.", ("preprocessing",)),
                Item(
                    "12c",
                    "Kind of model, all steps of building and tuning, internal validation.",
                    ("architecture", "training", "selection"),
                ),
                Item("12d", "Differences between sites, how handled and measured.", ("clusters",)),
                Item("12e", "All measures and plots of performance.", ("metrics", "calibrated", "utility")),
                Item("12f", "Updating of the model after its evaluation.", ("updating",)),
                Item("12g", "How predictions were computed.", ("how-predicted",)),
                Item("13", "Methods for class imbalance, and recalibration after them.", ("imbalance", "calibrated")),
                Item("14", "What was done for fairness.", ("fairness",)),
                Item("15", "What the model puts out, and how thresholds were found.", ("output", "threshold")),
                Item("16", "How development and evaluation data differ.", ("split", "external")),
                Item("17", "Ethics approval and consent.", ("ethics",)),
            ),
        ),
        (
            "Open science",
            (
                Item("18a", "Funding and the part of the funders.", ("funding",)),
                Item("18b", "Conflicts of interest.", ("conflicts",)),
                Item("18c", "Where the protocol is, or that there is none.", ("protocol",)),
                Item("18d", "Registration, or that there is none.", ("registration",)),
                Item("18e", "Whether the data are available.", ("data-sharing",)),
                Item("18f", "Whether the code is available.", ("repeatable",)),
            ),
        ),
        ("Patients and public", (Item("19", "What part patients and the public had, or none.", ("involvement",)),)),
        (
            "Results",
            (
                Item("20a", "Flow of participants, with and without the outcome.", ("flow",)),
                Item(
                    "20b", "Traits of the participants, overall and by source or setting.", ("demographics", "missing")
                ),
                Item("20c", "Traits of the evaluation data beside those of development.", ("demographics",)),
                Item("21", "Participants and outcomes in each analysis.", ("sizes",)),
                Item("22", "The model in full, so that others can use it.", ("how-predicted", "repeatable")),
                Item(
                    "23a",
                    "Performance with intervals, also in key subgroups.",
                    ("performance", "calibrated", "fairness"),
                ),
                Item("23b", "How performance differs between clusters, if examined.", ("clusters",)),
                Item("24", "The updated model and its performance, if updated.", ("updating",)),
            ),
        ),
        (
            "Discussion",
            (
                Item(
                    "25",
                    "What the results mean, fairness included, beside earlier studies.",
                    ("manuscript", "interpretation"),
                ),
                Item("26", "Limits, and what they do to bias, certainty and generality.", ("limits", "weaknesses")),
                Item("27a", "What to do with poor or missing input in use.", ("gate",)),
                Item("27b", "What users must do, and know, to use it.", ("use",)),
                Item("27c", "Next steps of research.", ("next-steps",)),
            ),
        ),
    ),
)
