"""Every failure a person may meet: what happened and what to do next, in their words."""

from __future__ import annotations


class RagtuneError(Exception):
    """A sentence a person can act on.

    ``str(error)`` says what happened and why; ``remedy`` says what to do now; ``details`` is
    for the folded part (never a document's text).
    """

    def __init__(self, happened: str, remedy: str = "", details: str = "") -> None:
        super().__init__(happened)
        self.remedy = remedy
        self.details = details

    @property
    def sentence(self) -> str:
        return f"{self} {self.remedy}".strip()


class ProjectError(RagtuneError):
    """The project folder cannot be used as asked."""


class DocumentError(RagtuneError):
    """A file could not be read. ``status`` is the word its row shows (see ``documents.Status``)."""

    def __init__(self, happened: str, remedy: str = "", details: str = "", status: str = "unreadable") -> None:
        super().__init__(happened, remedy, details)
        self.status = status


class PassageError(RagtuneError):
    """Passages could not be made, indexed or searched."""


class QuestionError(RagtuneError):
    """Questions could not be imported, written or changed."""


class MixError(RagtuneError):
    """The mix asks for something that cannot be composed."""


class PlanError(RagtuneError):
    """A training plan or preset that cannot be followed."""


class ModelError(RagtuneError):
    """A model cannot be found, loaded, downloaded or trusted."""


class TrainingError(RagtuneError):
    """Training could not start or go on."""


class VerdictError(RagtuneError):
    """There is not enough to judge."""


class ShippingError(RagtuneError):
    """The result could not be taken away."""


class Busy(RagtuneError):
    """The bench is taken by other heavy work."""


class Stopped(RagtuneError):
    """The person asked for a stop; what was finished is kept."""
