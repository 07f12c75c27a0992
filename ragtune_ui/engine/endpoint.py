"""Endpoint: a model on a server answers, over the OpenAI protocol. What it is asked goes nowhere else."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Any

from ragtune_ui.domain.endpoints import Endpoint
from ragtune_ui.domain.errors import QuestionError
from ragtune_ui.domain.examples import Message
from ragtune_ui.domain.ports import Progress

AT_ONCE = 4  # requests under way
SECONDS, SECONDS_TO_LIST = 120.0, 5.0
ROOM = 1_024  # tokens for an answer: models that think aloud need far more than a question has
LOOK = 0.2  # seconds between looks whether to stop
ONE_PROMPT = (400, 413, 422)  # what is wrong with one prompt (too long, refused) need not be with the next
_THOUGHT = re.compile(r"<think>.*?(?:</think>|$)", re.DOTALL)
_WORDS = {
    401: ("wants a valid key.", "Start RAGTune with RAGTUNE_ENDPOINT_KEY set to it."),
    403: ("does not allow this.", "Start RAGTune with RAGTUNE_ENDPOINT_KEY set to a key that may."),
    404: ("does not know this model or address.", "Choose another model, or check the address."),
    429: ("asks to slow down.", "Try again in some minutes."),
}


class EndpointSpeaker:
    """Answers of a model on a server (``ports.Server``). ``key`` goes to it as a bearer token; "" is none.

    Errors name the kind of failure and never what the server said: it may repeat what it was sent.
    """

    def __init__(self, endpoint: Endpoint, key: str = "") -> None:
        import httpx2

        self._endpoint = endpoint
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # No proxies of the environment and no redirects: passages go to the address the person named.
        self._http = httpx2.Client(timeout=SECONDS, headers=headers, trust_env=False, follow_redirects=False)
        self._closed = threading.Event()

    def models(self) -> list[str]:
        """Names of the models the server has. Raises QuestionError."""
        said = self._request("GET", "models", timeout=SECONDS_TO_LIST)
        try:
            return sorted(str(model["id"]) for model in said["data"])
        except (TypeError, KeyError):
            raise self._no_server() from None

    def answer(self, prompts: Sequence[Sequence[Message]], side: str, limit: int, progress: Progress) -> list[str]:
        """Greedy answers in order; there is one side only. A prompt that the server refuses gets an empty one.

        Raises:
            Stopped: nothing more is sent; what is under way ends by itself.
            QuestionError: the server fails, or has no words for any of the prompts.
        """
        todo: SimpleQueue[tuple[int, Sequence[Message]]] = SimpleQueue()
        done: SimpleQueue[tuple[int, str | Exception]] = SimpleQueue()
        for item in enumerate(prompts):
            todo.put(item)
        ended = threading.Event()

        def work() -> None:
            while not (ended.is_set() or self._closed.is_set()):
                try:
                    n, prompt = todo.get_nowait()
                except Empty:
                    return
                try:
                    done.put((n, self._ask(prompt, limit)))
                except Exception as error:
                    done.put((n, error))

        # Daemons: a program that is closed sends nothing more.
        for _ in range(min(AT_ONCE, len(prompts))):
            threading.Thread(target=work, name="endpoint", daemon=True).start()
        try:
            replies = self._gather(done, len(prompts), progress)
        finally:
            ended.set()
        if prompts and not any(replies):
            raise QuestionError(
                "The model server gave no answer in words.",
                "Choose a model that answers directly: some use up their room for thinking.",
            )
        return replies

    def close(self) -> None:
        """Send nothing more; what is under way ends by itself."""
        self._closed.set()
        self._http.close()

    def _gather(self, done: SimpleQueue[tuple[int, str | Exception]], total: int, progress: Progress) -> list[str]:
        replies, refused, missing = [""] * total, 0, total
        while missing:
            progress(total - missing, total, "Waiting for the model server")
            try:
                n, said = done.get(timeout=LOOK)
            except Empty:
                continue
            missing -= 1
            if isinstance(said, _Refused):
                refused += 1
                if refused == total:
                    raise said.error from None
            elif isinstance(said, Exception):
                raise said
            else:
                replies[n] = said
        progress(total, total, "Answered")
        return replies

    def _ask(self, prompt: Sequence[Message], limit: int) -> str:
        messages = [{"role": m.role, "content": m.content} for m in prompt]
        body = {"model": self._endpoint.model, "messages": messages, "max_tokens": limit + ROOM, "temperature": 0}
        said = self._request("POST", "chat/completions", body)
        try:
            text = said["choices"][0]["message"]["content"]
        except (TypeError, KeyError, IndexError):
            raise self._no_server() from None
        return _THOUGHT.sub("", text or "").strip()

    def _request(self, method: str, path: str, body: Any = None, timeout: float | None = None) -> Any:
        import httpx2

        url = self._endpoint.url
        try:
            reply = self._http.request(method, f"{url}/{path}", json=body, timeout=timeout or SECONDS)
            if reply.status_code == 200:
                return reply.json()
        except httpx2.TimeoutException as error:
            said = f"The model server at {url} did not answer in time.", "Try again, or choose a smaller model."
            raise QuestionError(*said, type(error).__name__) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, RuntimeError) as error:
            said = f"No model server answers at {url}.", "Start it and try again, or check the address."
            raise QuestionError(*said, type(error).__name__) from None
        except ValueError:
            raise self._no_server() from None
        status = reply.status_code
        what, remedy = _WORDS.get(status, (f"answered with an error ({status}).", "Try again later."))
        trouble = QuestionError(f"The model server at {url} {what}", remedy, f"HTTP {status}")
        raise _Refused(trouble) if body and status in ONE_PROMPT else trouble

    def _no_server(self) -> QuestionError:
        return QuestionError(
            f"What answers at {self._endpoint.url} is not a model server of this kind.", "Check the address."
        )


class _Refused(Exception):
    """One prompt was refused; ``error`` says so for all of them."""

    def __init__(self, error: QuestionError) -> None:
        super().__init__(str(error))
        self.error = error
