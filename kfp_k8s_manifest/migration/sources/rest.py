"""A KFP server's REST API, through kfp's own client."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from kfp_k8s_manifest.migration.records import (
    RecordPage,
    ServerPipeline,
    ServerVersion,
    pipeline_from_json,
    version_from_json,
)
from kfp_k8s_manifest.migration.sources import (
    ServerError,
    ServerRefusalError,
    ServerUncertainError,
)
from kfp_k8s_manifest.migration.sources.fitting import PageFit
from kfp_k8s_manifest.migration.sources.signing import Access, make_client
from kfp_k8s_manifest.migration.sources.waiting import Patience, retry_after

__all__ = ["RestServer"]

_AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})
_ORDER: Final = "created_at asc"
_LIST_KEYS: Final = frozenset({"pipelines", "total_size", "next_page_token"})
_NOT_FOUND: Final = 404
_CONNECTION: Final = re.compile(r"HTTPS?Connection(?:Pool)?\(.*?\): ")
_NO_SOURCES: Final = (
    "the server has told no code source URL: KFP 2.17 keeps them, and its API does not answer them; an"
    " export with --database-url has them"
)
# A server that has never answered is more likely misspelt than overloaded.
_FIRST_ATTEMPTS: Final = 2
# A token may be renewed between reading and checking it.
_SIGNED_ATTEMPTS: Final = 3


class RestServer:
    """A KFP server, asked over HTTP. Several threads may use it.

    Args:
        access: How it is reached.
        patience: How often a request is sent.
        timeout: Seconds for connecting, and for each part of an answer.
    """

    def __init__(
        self, access: Access, *, patience: Patience | None = None, timeout: float = 60.0
    ) -> None:
        import kfp_server_api

        self._access = access
        self._stopped = threading.Event()
        self.patience = replace(patience or Patience(), sleep=self._stopped.wait)
        self._timeout = (timeout, timeout)
        self._client = make_client(access)
        self.pipeline_api = kfp_server_api.PipelineServiceApi(self._client)
        self.recurring_run_api = kfp_server_api.RecurringRunServiceApi(self._client)
        self._lock = threading.Lock()
        self._requests = 0
        self._reached = False
        self._tells_sources: bool | None = None
        self._fit = PageFit()

    @property
    def name(self) -> str:
        """The URL."""
        return str(self._client.configuration.host)

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._requests

    @property
    def tells_sources(self) -> bool:
        """True once the server has told a code source URL: KFP 2.17 keeps them to itself."""
        return self._tells_sources is True

    def notes(self) -> list[str]:
        """Return what the server may have, and has not told."""
        if self._tells_sources is not False:
            return []
        return [_NO_SOURCES]

    def stop(self) -> None:
        """Let nobody wait any longer before a request is sent again."""
        self._stopped.set()

    def close(self) -> None:
        """Close connections."""
        self._client.rest_client.pool_manager.clear()
        self._client.close()

    def namespaces(self) -> None:
        """Return None: KFP's API has no list of namespaces."""

    def pipelines(self, namespace: str, token: str, size: int) -> RecordPage[ServerPipeline]:
        """Return a page of the pipelines of a namespace; "" for a standalone server."""
        asked: dict[str, Any] = {"namespace": namespace} if namespace else {}
        try:
            tree = self.call(
                self.pipeline_api.pipeline_service_list_pipelines,
                page_token=token, page_size=size, sort_by=_ORDER, **asked,
            )  # fmt: skip
        except ServerRefusalError as error:
            if error.status != _NOT_FOUND:
                raise
            raise ServerError(
                f"{error}; is it the API of a KFP server, of version 2 or later?"
            ) from error
        if tree and not _LIST_KEYS & tree.keys():
            raise ServerError(
                f"{self.name} has answered no list of pipelines: is it the API of a KFP server? Its"
                f" answer has {', '.join(map(repr, sorted(tree)[:5]))}"
            )
        items = tuple(pipeline_from_json(each) for each in tree.get("pipelines") or ())
        return _page(items, tree, token)

    def versions(self, pipeline_id: str, token: str, size: int) -> RecordPage[ServerVersion]:
        """Return a page of the versions of a pipeline."""
        tree, length = self._call(
            self.pipeline_api.pipeline_service_list_pipeline_versions,
            pipeline_id, page_token=token, page_size=self._fit.size(size), sort_by=_ORDER,
        )  # fmt: skip
        items = tuple(version_from_json(each) for each in tree.get("pipeline_versions") or ())
        self._fit.note(len(items), length)
        if items:
            told = any(each.code_source_url for each in items)
            self._tells_sources = self._tells_sources or told
        return _page(items, tree, token)

    def recurring_runs(
        self, namespace: str, token: str, size: int
    ) -> RecordPage[Mapping[str, Any]]:
        """Return a page of the recurring runs of a namespace; "" for a standalone server."""
        asked: dict[str, Any] = {"namespace": namespace} if namespace else {}
        tree = self.call(
            self.recurring_run_api.recurring_run_service_list_recurring_runs,
            page_token=token, page_size=size, **asked,
        )  # fmt: skip
        found = tree.get("recurringRuns") or tree.get("recurring_runs") or ()
        return _page(tuple(each for each in found if isinstance(each, Mapping)), tree, token)

    def call(
        self, method: Callable[..., Any], *args: Any, again: bool = True, **options: Any
    ) -> Any:
        """Call a method of kfp's API, and return the JSON object that is answered.

        Args:
            method: Such as `self.pipeline_api.pipeline_service_list_pipelines`.
            args: Its arguments.
            again: Whether it may be sent again after a failure that leaves open whether it was
                carried out. What was refused for load (429) or for a token is sent again always.
            options: Its options.

        Raises:
            ServerRefusalError: The server refuses it, or keeps failing at it.
            ServerUncertainError: It has failed, may have been carried out, and was to be sent once.
            ServerError: There is no going on with the server at all.
        """
        return self._call(method, *args, again=again, **options)[0]

    def _call(
        self, method: Callable[..., Any], *args: Any, again: bool = True, **options: Any
    ) -> tuple[Any, int]:
        """Call a method; return what is answered, and how many bytes it had."""
        attempt = 1
        while True:
            try:
                return self._sent(method, args, options)
            except _Failure as failure:
                if not again and (failure.status in _AGAIN - {429} or failure.lost):
                    text = f"{self.name}: {failure.text[:500]}"
                    raise ServerUncertainError(
                        text, status=failure.status, message=failure.text
                    ) from failure
                if attempt >= self._attempts(failure):
                    raise failure.final(self.name, attempt, self._access.proof) from failure
                self.patience.wait(attempt, failure.wait)
                if self._stopped.is_set():
                    raise ServerError("interrupted while waiting for the server") from failure
            attempt += 1

    def ask(
        self,
        method: str,
        path: str,
        *,
        ids: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        file: str = "",
        again: bool = True,
    ) -> Any:
        """Send a request that the client of an older kfp has no method for, or not all options.

        Args:
            method: The HTTP method.
            path: The path, with the names of `ids` in braces.
            ids: What stands for them.
            query: The query's parameters.
            body: The body, as JSON.
            file: A file that is uploaded.
            again: As for `call`.

        Raises:
            ServerRefusalError: As for `call`.
            ServerUncertainError: As for `call`.
            ServerError: As for `call`.
        """
        content_type = "multipart/form-data" if file else "application/json"
        return self.call(
            self._client.call_api,
            path,
            method,
            path_params=dict(ids or {}),
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            post_params=[],
            files={"uploadfile": file} if file else {},
            response_type="object",
            auth_settings=["Bearer"],
            _return_http_data_only=True,
            again=again,
        )

    def _attempts(self, failure: _Failure) -> int:
        """Return how often a request is sent that fails in such a way."""
        most = self.patience.attempts
        if failure.status == 401:
            # Only a token that may change can be better the next time.
            return min(_SIGNED_ATTEMPTS, most) if self._access.token_file else 1
        if failure.status == 429:
            return most
        if not (failure.status in _AGAIN or failure.lost):
            return 1
        return most if self._reached else min(_FIRST_ATTEMPTS, most)

    def _sent(
        self, method: Callable[..., Any], args: Any, options: dict[str, Any]
    ) -> tuple[Any, int]:
        import urllib3
        from kfp_server_api.exceptions import ApiException

        with self._lock:
            self._requests += 1
        try:
            # The answer as it comes: kfp's models would turn times and unknown fields into others.
            response = method(
                *args, **options, _preload_content=False, _request_timeout=self._timeout
            )
            data = response.data
            response.release_conn()
        except ApiException as error:
            raise self._refused(error) from error
        except AttributeError as error:
            # The client fails at its own error where there was no answer.
            if not isinstance(error.__context__, ApiException):
                raise
            raise self._refused(error.__context__) from error
        except urllib3.exceptions.HTTPError as error:
            raise _Failure(text=_first_line(error), lost=True) from error
        except UnicodeDecodeError as error:
            raise _Failure(text="an error that is no text", lost=True) from error
        self._reached = True
        try:
            tree = json.loads(data)
        except (ValueError, RecursionError) as error:
            kind = response.headers.get("content-type", "no content type")
            raise ServerError(
                f"{self.name} has answered no JSON ({kind}): is it the API of a KFP server, and are"
                " you logged in? Its answer begins with"
                f" {bytes(data[:80]).decode('utf-8', 'replace')!r}"
            ) from error
        if not isinstance(tree, dict):
            raise ServerError(f"{self.name} has answered {tree!r:.80}, no object")
        return tree, len(data)

    def _refused(self, error: Any) -> _Failure:
        if not error.status:
            # TLS: it will not be better the next time.
            return _Failure(text=" ".join(str(error.reason).split()), lost=False)
        self._reached = True
        wanted = retry_after((error.headers or {}).get("Retry-After"), now=time.time())
        return _Failure(
            text=_message(error.body) or str(error.reason or ""),
            status=int(error.status),
            wait=wanted,
        )


class _Failure(Exception):  # noqa: N818 (it never leaves this module)
    """A request that has failed.

    Args:
        text: Why.
        status: The HTTP status; 0 where there was no answer.
        wait: Seconds that the server has asked for, or None.
        lost: True where it may be sent again because the answer was lost.
    """

    def __init__(
        self, *, text: str, status: int = 0, wait: float | None = None, lost: bool = False
    ) -> None:
        super().__init__(text)
        self.text, self.status, self.wait, self.lost = text, status, wait, lost

    def final(self, server: str, attempts: int, proof: str) -> Exception:
        """Return the error that is told when it is not sent again.

        Args:
            server: The server's name.
            attempts: How often it was sent.
            proof: What said who we are, or "".
        """
        tried = f" ({attempts} attempts)" if attempts > 1 else ""
        text = self.text[:500]
        if self.status == 0:
            return ServerError(f"{server} cannot be reached{tried}: {text}; {self._advice()}")
        if self.status == 401:
            advice = f"has {proof} expired, and is it for this server?" if proof else ""
            return ServerError(
                f"{server} does not know who we are (401: {text}):"
                f" {advice or 'pass --token-file, --token or --user-id'}"
            )
        if self.status == 429:
            return ServerError(f"{server} has too much to do{tried} (429: {text}): try again later")
        if 300 <= self.status < 400:
            return ServerError(
                f"{server} leads elsewhere ({self.status}): is it the API of a KFP server, and are"
                " you logged in?"
            )
        return ServerRefusalError(
            f"{server} has answered {self.status}{tried}: {text}",
            status=self.status,
            message=self.text,
        )

    def _advice(self) -> str:
        if "CERTIFICATE_VERIFY_FAILED" in self.text:
            return "--ca-bundle names a file with the authorities to trust"
        if "WRONG_VERSION_NUMBER" in self.text:
            return "it does not speak TLS: does its URL begin with http://?"
        return "is it the right URL, and does the server run?"


def _page(items: Any, tree: dict[str, Any], asked: str) -> RecordPage[Any]:
    total, token = tree.get("total_size") or 0, tree.get("next_page_token") or ""
    if not isinstance(total, int) or not isinstance(token, str):
        raise ServerError(
            f"the server has answered total_size {total!r}, next_page_token {token!r}"
        )
    if token and token == asked:
        raise ServerError("the server has answered that the next page is the same page again")
    return RecordPage(items=items, total=total, token=token)


def _message(body: str | None) -> str:
    """Return the server's own words out of the body of a refusal."""
    try:
        tree = json.loads(body or "")
        details = tree.get("details")
        if details:
            return str(details[0]["message"])
        return str(tree.get("message") or tree.get("error_message") or "")
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        return " ".join((body or "").split())[:200]


def _first_line(error: BaseException) -> str:
    text = str(error).partition("\n")[0] or type(error).__name__
    # The client's own object comes first; the URL is told anyway.
    return _CONNECTION.sub("", text)
