"""The papers of a finished run: report, model card, checklists, exports. Everything is read from the stored run and its
cohort and written once more in another form; nothing is computed that the worker knows.

`content.read` gives the facts, `report`, `model_card` and `checklists` make documents of them (`document`), and `html`,
`pdf`, `markdown` and `docx` write any document. Exports of the model itself are `exporting`, `mlflow` and `recipes`.
`papers` is the front door: which paper, in which form.
"""
