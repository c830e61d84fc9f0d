"""What goes wrong, in words a clinician can act on. Every error says what we got, what we need and what to do next."""


class MedtlError(Exception):
    """An error the user can mend.

    `message` says what we got and what we need; `advice` says what to do next. Both are shown on screen as they are,
    so neither may hold a patient's name or a traceback.
    """

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".strip()


class NotFound(MedtlError):
    """A name that is not in a catalogue, or an id that is not in the workspace."""


class BadInput(MedtlError):
    """A file, a label or a setting that cannot be used as it is."""


class NotReady(MedtlError):
    """Something must be done first (resolve a finding, finish a run, fetch weights)."""
