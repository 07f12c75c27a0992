"""Authors desk: which model writes the questions that patterns cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from ragtune_ui.domain.endpoints import Endpoint, address
from ragtune_ui.domain.errors import QuestionError
from ragtune_ui.domain.ports import Answers
from ragtune_ui.store.projects import Project

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio


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

    def models(self, url: str) -> list[str]:
        """The models of a server. Raises QuestionError where none answers, or it may not be asked."""
        with closing(self._studio.engines.server(Endpoint(address(url)))) as server:
            return server.models()

    def choose(self, project: Project, url: str, model: str) -> Endpoint:
        """Let a model on a server write; it must be there now.

        Raises:
            QuestionError: no server answers, or it has no such model.
        """
        chosen, there = Endpoint(address(url), (model or "").strip()), self.models(url)
        if not chosen.model:
            raise QuestionError("No model is chosen.", "Press “Find its models” and choose one.")
        if chosen.model not in there:
            raise QuestionError(f"The server has no model named “{chosen.model}”.", "Choose one of its own.")
        project.choose(endpoint=chosen)
        return chosen

    def forget(self, project: Project) -> None:
        """Let the model of the project write again."""
        project.choose(endpoint=Endpoint())

    @contextmanager
    def using(self, project: Project) -> Iterator[Answers]:
        """The author, held while it writes. Raises QuestionError and ModelError."""
        choices = project.choices()
        if choices.endpoint.url:
            with closing(self._studio.engines.server(choices.endpoint)) as server:
                yield server
        else:
            with self._studio.speakers.using(self._studio.model_folder(choices.model), None) as speaker:
                yield speaker
