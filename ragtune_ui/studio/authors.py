"""Authors desk: which model writes the questions that rules cannot, whether it may be shown passages, who proves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.endpoints import Endpoint, address
from ragtune_ui.domain.errors import QuestionError
from ragtune_ui.domain.examples import Message
from ragtune_ui.domain.ports import Answers, Server
from ragtune_ui.store.projects import Choices, Project

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio

BUILT_IN = "built-in"
TRIAL = "What is the capital of France? Answer in one word."


class Authors:
    """The project's own model, or one on a model server that the person named."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def name(self, project: Project) -> str:
        """What the author is called."""
        choices = project.choices()
        if choices.endpoint.url:
            return f"{choices.endpoint.model} at {choices.endpoint.url}"
        return next((m.title for m in self._studio.catalog().choices() if m.id == choices.model), choices.model)

    def writes(self, choices: Choices) -> bool:
        """True where there is a model that may write. The built-in reader is none: it answers what rules wrote, and
        that is its part (``docs/questions.md``)."""
        return bool(choices.endpoint.url) or choices.model != BUILT_IN

    def allowed(self, endpoint: Endpoint) -> bool:
        """True where passages may be shown to this server."""
        return endpoint.allowed(self._studio.settings.servers)

    def models(self, url: str) -> list[str]:
        """The models of a server. Raises QuestionError where none answers, or it may not be asked."""
        with closing(self._server(Endpoint(address(url)))) as server:
            return server.models()

    def choose(self, project: Project, url: str, model: str) -> Endpoint:
        """Let a model on a server write; it has to answer a trial without any passage first.

        Raises:
            QuestionError: no server answers, it may not be asked, or it has no such model.
        """
        chosen = Endpoint(address(url), (model or "").strip())
        if not chosen.model:
            raise QuestionError("No model is chosen.", "Press “Find its models” and choose one.")
        with closing(self._server(chosen)) as server:
            if chosen.model not in server.models():
                raise QuestionError(f"The server has no model named “{chosen.model}”.", "Choose one of its own.")
            server.answer([(Message("user", TRIAL),)], "base", 16, lambda done, total, note: None)
        project.choose(endpoint=chosen)
        return chosen

    def forget(self, project: Project) -> None:
        """Let the model of the project write again."""
        project.choose(endpoint=Endpoint())

    @contextmanager
    def using(self, choices: Choices) -> Iterator[Answers]:
        """The author that ``choices`` name, held while it writes. Raises QuestionError and ModelError."""
        if choices.endpoint.url:
            with closing(self._server(choices.endpoint)) as server:
                yield server
        else:
            with self._studio.speakers.using(self._studio.model_folder(choices.model), None) as speaker:
                yield speaker

    @contextmanager
    def proving(self, document: Document) -> Iterator[Answers | None]:
        """The built-in reader, which tries to answer what rules made of a document; it reads English only."""
        if document.language in ("", "English"):
            with self._studio.speakers.using(self._studio.model_folder(BUILT_IN), None) as speaker:
                yield speaker
        else:
            yield None

    def check(self, choices: Choices) -> None:
        """Raises QuestionError where ``choices`` name a server that may not be asked."""
        if choices.endpoint.url and not self.allowed(choices.endpoint):
            raise QuestionError(
                f"The model server {choices.endpoint.host} is not on this computer, and nobody allowed it.",
                f"Start RAGTune with RAGTUNE_SERVERS={choices.endpoint.host} if your documents may be sent there, "
                "or let the model of this project write.",
            )

    def _server(self, endpoint: Endpoint) -> Server:
        self.check(Choices(endpoint=endpoint))
        return self._studio.engines.server(endpoint)
