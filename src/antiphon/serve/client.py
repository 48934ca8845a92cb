"""A thin client of the service: typed answers, the service's own sentences as errors, and nothing else.

    client = antiphon.Client("http://127.0.0.1:8765")
    for hit in client.search("a quiet drama", where="year>=1980", k=5):
        print(hit["title"])

`AsyncClient` has the same methods to await. Both need httpx, from `pip install 'antiphon[client]'`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, NotRequired, Self, TypedDict, Unpack

from antiphon.base import runtime
from antiphon.errors import AntiphonError, QueryError, ServiceError, UnknownIdError

TIMEOUT = 30.0
PAGE = 50
"""Hits of a page, where a client walks through all of them."""


class HitDocument(TypedDict):
    """An answer, as the service sends it."""

    rank: int
    score: float
    item_id: str
    title: str
    fields: dict[str, Any]
    image: bool
    place: list[float] | None
    why: NotRequired[dict[str, float]]
    matched: NotRequired[dict[str, list[str]]]


class Asked(TypedDict, total=False):
    """What a request may say beside its words; see `Query`."""

    more: Sequence[str]
    less: Sequence[str]
    likes: Sequence[str]
    dislikes: Sequence[str]
    user: str
    history: Sequence[str]
    exclude: Sequence[str]
    where: str | Sequence[str] | Mapping[str, Any]
    weights: Mapping[str, float]
    k: int
    offset: int
    explain: bool
    fields: Sequence[str]


class Client:
    """Asks a service; a context manager that closes its connections."""

    def __init__(self, url: str, *, key: str | None = None, timeout: float = TIMEOUT, transport: Any = None) -> None:
        """`url`: of the service, such as http://127.0.0.1:8765. `key`: an API key. `transport`: of httpx, for tests."""
        self._http = _httpx().Client(base_url=url, headers=_headers(key), timeout=timeout, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def search(self, text: str | None = None, **asked: Unpack[Asked]) -> list[HitDocument]:
        """Answers to a request, best first.

        Raises:
            QueryError: the request cannot be answered as it stands.
            UnknownIdError: it names an item or a user that the catalog does not have.
            ServiceError: the service cannot be reached or used.
        """
        hits: list[HitDocument] = self._post("/v1/search", _body(text, asked))["hits"]
        return hits

    def recommend(self, **asked: Unpack[Asked]) -> list[HitDocument]:
        """Items for likes, a user or a history; errors as of `search`."""
        hits: list[HitDocument] = self._post("/v1/recommend", _body(None, asked))["hits"]
        return hits

    def search_many(self, requests: Sequence[Mapping[str, Any]]) -> list[list[HitDocument]]:
        """Answers to several requests in one call, each as the keyword arguments of `search`; errors as of `search`."""
        return _answers(self._post("/v1/search/batch", {"requests": list(map(dict, requests))}))

    def pages(
        self, text: str | None = None, *, size: int = PAGE, **asked: Unpack[Asked]
    ) -> Iterator[list[HitDocument]]:
        """Page after page of the answers to one request, until there are no more; errors as of `search`."""
        offset: int | None = asked.pop("offset", 0)
        while offset is not None:
            found = self._post("/v1/search", {**_body(text, asked), "k": size, "offset": offset})
            if found["hits"]:
                yield found["hits"]
            offset = found["next_offset"]

    def item(self, item_id: str) -> dict[str, Any]:
        """One item: title, fields, and the modalities that it has; errors as of `search`."""
        return self._get(f"/v1/items/{_quoted(item_id)}")

    def similar(self, item_id: str, *, k: int = 10) -> list[HitDocument]:
        """Items like one item; errors as of `search`."""
        hits: list[HitDocument] = self._get(f"/v1/items/{_quoted(item_id)}/similar?k={k}")["hits"]
        return hits

    def understand(self, text: str) -> dict[str, Any]:
        """A sentence taken apart: `says`, and `query`, the arguments of a search; errors as of `search`."""
        return self._post("/v1/understand", {"text": text})

    def space(self) -> dict[str, Any]:
        """What the space is; `space_id` changes when its answers may."""
        return self._get("/v1/space")

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("POST", path, json=dict(body))

    def _get(self, path: str) -> dict[str, Any]:
        return self._ask("GET", path)

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            return _checked(self._http.request(method, path, **more))
        except _httpx().HTTPError as error:
            raise _unreachable(self._http.base_url, error) from error


class AsyncClient:
    """As `Client`, with methods to await."""

    def __init__(self, url: str, *, key: str | None = None, timeout: float = TIMEOUT, transport: Any = None) -> None:
        """As of `Client`."""
        self._http = _httpx().AsyncClient(base_url=url, headers=_headers(key), timeout=timeout, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def search(self, text: str | None = None, **asked: Unpack[Asked]) -> list[HitDocument]:
        """Answers to a request, best first; errors as of `Client.search`."""
        hits: list[HitDocument] = (await self._post("/v1/search", _body(text, asked)))["hits"]
        return hits

    async def recommend(self, **asked: Unpack[Asked]) -> list[HitDocument]:
        """Items for likes, a user or a history; errors as of `Client.search`."""
        hits: list[HitDocument] = (await self._post("/v1/recommend", _body(None, asked)))["hits"]
        return hits

    async def search_many(self, requests: Sequence[Mapping[str, Any]]) -> list[list[HitDocument]]:
        """Answers to several requests in one call; errors as of `Client.search`."""
        return _answers(await self._post("/v1/search/batch", {"requests": list(map(dict, requests))}))

    async def pages(
        self, text: str | None = None, *, size: int = PAGE, **asked: Unpack[Asked]
    ) -> AsyncIterator[list[HitDocument]]:
        """Page after page of the answers to one request; errors as of `Client.search`."""
        offset: int | None = asked.pop("offset", 0)
        while offset is not None:
            found = await self._post("/v1/search", {**_body(text, asked), "k": size, "offset": offset})
            if found["hits"]:
                yield found["hits"]
            offset = found["next_offset"]

    async def item(self, item_id: str) -> dict[str, Any]:
        """One item; errors as of `Client.search`."""
        return await self._get(f"/v1/items/{_quoted(item_id)}")

    async def similar(self, item_id: str, *, k: int = 10) -> list[HitDocument]:
        """Items like one item; errors as of `Client.search`."""
        hits: list[HitDocument] = (await self._get(f"/v1/items/{_quoted(item_id)}/similar?k={k}"))["hits"]
        return hits

    async def understand(self, text: str) -> dict[str, Any]:
        """A sentence taken apart; errors as of `Client.search`."""
        return await self._post("/v1/understand", {"text": text})

    async def space(self) -> dict[str, Any]:
        """What the space is."""
        return await self._get("/v1/space")

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._ask("POST", path, json=dict(body))

    async def _get(self, path: str) -> dict[str, Any]:
        return await self._ask("GET", path)

    async def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            return _checked(await self._http.request(method, path, **more))
        except _httpx().HTTPError as error:
            raise _unreachable(self._http.base_url, error) from error


def _httpx() -> Any:
    return runtime.library("httpx", "client", "a client of the service")


def _headers(key: str | None) -> dict[str, str]:
    return {} if key is None else {"authorization": f"Bearer {key}"}


def _body(text: str | None, asked: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {"text": text, **asked}.items() if value is not None}


def _quoted(item_id: str) -> str:
    from urllib.parse import quote

    return quote(item_id, safe="")


def _checked(response: Any) -> dict[str, Any]:
    """The document of an answer, or the error that it is."""
    try:
        document = response.json()
    except ValueError:
        document = {}
    if response.is_success:
        found: dict[str, Any] = document
        return found
    raise _error(response.status_code, str(document.get("detail") or f"the service answered {response.status_code}."))


def _error(status: int, sentence: str) -> AntiphonError:
    if status == 404:
        return UnknownIdError(sentence)
    return QueryError(sentence) if status in (400, 413, 415, 422) else ServiceError(sentence, status)


def _answers(document: Mapping[str, Any]) -> list[list[HitDocument]]:
    """The hits of each request of a batch; the first that could not be answered is raised."""
    for place, answer in enumerate(document["answers"]):
        if "hits" not in answer:
            raise _error(answer["status"], f"request {place}: {answer['detail']}")
    return [answer["hits"] for answer in document["answers"]]


def _unreachable(url: Any, error: Exception) -> ServiceError:
    return ServiceError(f"the service at {url} does not answer ({error or type(error).__name__}); is it started?")
