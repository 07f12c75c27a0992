"""Endpoint: a model on a server answers, over the OpenAI protocol. What it is asked goes nowhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from ragtune_ui.domain.endpoints import Endpoint
from ragtune_ui.domain.errors import QuestionError
from ragtune_ui.domain.examples import Message
from ragtune_ui.domain.ports import Progress

AT_ONCE = 4  # requests under way; Ollama and llama.cpp work on four by default
SECONDS, SECONDS_TO_LIST = 120.0, 5.0
RETRIES = 2
ROOM = 8  # times the tokens asked for: models that think aloud need room for it
LOOK = 0.2  # seconds between looks whether to stop
_THOUGHT = re.compile(r"<think>.*?(?:</think>|$)", re.DOTALL)


class EndpointSpeaker:
    """Answers of a model on a server (``ports.Answers``).

    Raises:
        QuestionError: the server is another computer and the network is not allowed.
    """

    def __init__(self, endpoint: Endpoint, key: str, network: bool) -> None:
        if not endpoint.local and not network:
            raise QuestionError(
                "That server is not on this computer, and RAGTune was started without a network.",
                "Start it with RAGTUNE_NETWORK=on if your documents may be sent there.",
            )
        from openai import DefaultHttpxClient, OpenAI

        self._endpoint = endpoint
        # No proxies of the environment and no redirects: passages go to the address the person named.
        http = DefaultHttpxClient(trust_env=False, follow_redirects=False)
        self._client = OpenAI(
            base_url=endpoint.url, api_key=key or "none", timeout=SECONDS, max_retries=RETRIES, http_client=http
        )

    def models(self) -> list[str]:
        """Names of the models the server has. Raises QuestionError."""
        try:
            quick = self._client.with_options(timeout=SECONDS_TO_LIST, max_retries=0)
            return sorted(str(model.id) for model in quick.models.list().data)
        except Exception as error:
            raise self._in_words(error) from error

    def answer(self, prompts: Sequence[Sequence[Message]], side: str, limit: int, progress: Progress) -> list[str]:
        """Greedy answers in order; there is one side only. Raises Stopped, and QuestionError if the server fails."""
        pool = ThreadPoolExecutor(AT_ONCE, "endpoint")
        try:
            asked = [pool.submit(self._ask, prompt, limit) for prompt in prompts]
            for done, reply in enumerate(asked):
                self._wait(reply, done, len(asked), progress)
            progress(len(asked), len(asked), "Answered")
            return [reply.result() for reply in asked]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """End the connections; what is under way fails."""
        self._client.close()

    def _wait(self, reply: Future[str], done: int, total: int, progress: Progress) -> None:
        while not wait([reply], LOOK).done:
            progress(done, total, "Waiting for the model server")
        progress(done, total, "Waiting for the model server")
        error = reply.exception()
        if error is not None:
            raise self._in_words(error) from error

    def _ask(self, prompt: Sequence[Message], limit: int) -> str:
        messages: Any = [{"role": m.role, "content": m.content} for m in prompt]
        said = self._client.chat.completions.create(
            model=self._endpoint.model, messages=messages, max_tokens=limit * ROOM, temperature=0
        )
        if not getattr(said, "choices", None):  # a page in HTML comes as a text
            raise ValueError("no answer among what came back")
        return _THOUGHT.sub("", said.choices[0].message.content or "").strip()

    def _in_words(self, error: BaseException) -> QuestionError:
        import openai

        url, model = self._endpoint.url, self._endpoint.model
        details = f"{type(error).__name__}: {error}"[:500]
        again = "Or let the model of this project write: nothing that was written is lost."
        if isinstance(error, openai.APITimeoutError):
            return QuestionError(f"The model server at {url} did not answer in time.", again, details)
        if isinstance(error, openai.APIConnectionError):
            return QuestionError(f"No model server answers at {url}.", f"Start it and try again. {again}", details)
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            return QuestionError(
                f"The model server at {url} wants a valid key.",
                "Start RAGTune with RAGTUNE_ENDPOINT_KEY set to it.",
                details,
            )
        if isinstance(error, openai.NotFoundError) and model:
            return QuestionError(f"The server at {url} has no model named “{model}”.", "Choose another one.", details)
        if isinstance(error, openai.RateLimitError):
            return QuestionError("The model server asks to slow down.", f"Try again in some minutes. {again}", details)
        if isinstance(error, openai.APIStatusError):
            return QuestionError(f"The model server answered with an error ({error.status_code}).", again, details)
        return QuestionError(f"What answers at {url} is not a model server of this kind.", again, details)
