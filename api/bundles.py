"""The built-in bundle store over HTTP: hosts fetch by signed links, clients put with a token. Knows objects by their
SHA-256 and nothing of what is in them, and commits that are pulled in for hosts; links and tokens never reach a log.
"""

from __future__ import annotations

import errno
import hmac
import logging
import math
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from api.pulls import Commits, Pulls
from domain.bundles import BundleLimits
from domain.errors import ArchiveMissing, ArchiveRefused, ArchiveUnavailable, BundleError
from workflows.admission import COMMIT, REPOSITORY
from workflows.signing import check_path, commit_path

logger = logging.getLogger(__name__)

_WRITE_AT_ONCE = 1024 * 1024
_ABANDONED_AFTER = 86_400.0
"""Seconds after which an upload nobody adds to is taken for dead."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_OTHERS = {404: ("not_found", "there is nothing here"), 405: ("not_allowed", "use GET, HEAD or PUT")}
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Kept(Protocol):
    """What became of an upload."""

    @property
    def size(self) -> int: ...
    @property
    def fresh(self) -> bool: ...


class Upload(Protocol):
    """A bundle on its way in."""

    def write(self, data: bytes) -> None: ...
    def keep(self, expected: str | None = None) -> Kept: ...
    def discard(self) -> None: ...


class Objects(Protocol):
    """Where bundles are kept by their SHA-256."""

    def receive(self) -> Upload: ...
    def find(self, sha256: str) -> Path | None: ...
    def sweep(self, *, before: float) -> int: ...


class _Problem(HTTPException):
    """An answer that is no success: a word for programs, a sentence for people."""

    def __init__(self, status: int, error: str, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, message, headers)
        self.error = error


def bundle_app(
    store: Objects,
    *,
    key: bytes,
    token: str,
    now: Callable[[], float],
    limits: BundleLimits,
    commits: Commits | None = None,
) -> Starlette:
    """`/bundles/{sha256}`: PUT with `Authorization: Bearer <token>`, GET with that or a signed link. With `commits`,
    `/revisions/github/{owner}/{name}/{commit}`: GET with a signed link. And `/healthz`.

    Errors are JSON: `{"error": "<word>", "message": "<what to do>"}`.
    """
    if not key or not token:
        raise ValueError("the bundle store needs a key to sign links with and a token for uploads")
    site = _Site(store, key=key, token=token, now=now, limits=limits)
    archives = [] if commits is None else [_commit_route(site, Pulls(commits, now=now))]

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await run_in_threadpool(store.sweep, before=now() - _ABANDONED_AFTER)
        yield

    return Starlette(
        routes=[
            Route("/bundles/{sha256}", site.fetch, methods=["GET"]),
            Route("/bundles/{sha256}", site.put, methods=["PUT"]),
            *archives,
            Route("/healthz", _healthz, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _answer, Exception: _answer_bug},
        lifespan=lifespan,
    )


def _commit_route(site: _Site, pulls: Pulls) -> Route:
    async def fetch(request: Request) -> Response:
        return await site.fetch_commit(request, pulls)

    return Route("/revisions/github/{owner}/{name}/{commit}", fetch, methods=["GET"])


class _Bundle(FileResponse):
    chunk_size = _WRITE_AT_ONCE


class _Site:
    def __init__(
        self, store: Objects, *, key: bytes, token: str, now: Callable[[], float], limits: BundleLimits
    ) -> None:
        self._store, self._key, self._token, self._now, self._limits = store, key, token.encode(), now, limits

    async def fetch(self, request: Request) -> Response:
        """The bytes of a bundle, or the part of them that is asked for."""
        sha256 = request.path_params["sha256"]
        if "authorization" in request.headers:
            self._check_token(request)
        else:
            self._check_link(request, f"/bundles/{sha256}")
        path = await run_in_threadpool(self._store.find, sha256)
        if path is None:
            raise _Problem(404, "not_found", f"there is no bundle {sha256} in this store; upload it again")
        return _sent(path, sha256)

    async def fetch_commit(self, request: Request, pulls: Pulls) -> Response:
        """The archive of a commit, by a signed link alone: who may upload may not be allowed to read it."""
        asked = request.path_params
        repository, commit = f"{asked['owner']}/{asked['name']}", asked["commit"]
        self._check_link(request, commit_path(repository, commit))
        if not (REPOSITORY.fullmatch(repository) and COMMIT.fullmatch(commit)):
            raise _Problem(400, "bad_name", "a commit is named by owner, repository and 40 hex digits")
        try:
            path = await pulls.archive_of(repository, commit)
        except ArchiveMissing as error:
            raise _Problem(404, "not_found", error.message) from None
        except ArchiveRefused as error:
            logger.warning("%s", error.message)
            raise _Problem(424, "refused", error.message) from None
        except ArchiveUnavailable as error:
            logger.warning("%s", error.message)
            raise _Problem(503, "unavailable", error.message, headers=self._retry_after(error)) from None
        return _sent(path, path.name)

    def _retry_after(self, error: ArchiveUnavailable) -> dict[str, str] | None:
        seconds = math.ceil((error.until or 0.0) - self._now())
        return {"retry-after": str(seconds)} if seconds > 0 else None

    async def put(self, request: Request) -> Response:
        """Take a bundle in; 201 if it is new, 200 if it was there."""
        self._check_token(request)
        sha256 = request.path_params["sha256"]
        if not _SHA256.fullmatch(sha256):
            raise _Problem(400, "bad_name", "a bundle is named by its SHA-256 in 64 lower-case hex digits")
        self._check_size(_declared(request))
        kept = await self._receive(request, sha256)
        if kept.fresh:
            logger.info("bundle %s is kept: %d bytes", sha256, kept.size)
        return JSONResponse({"sha256": sha256, "size": kept.size}, status_code=201 if kept.fresh else 200)

    async def _receive(self, request: Request, sha256: str) -> Kept:
        upload = await run_in_threadpool(self._store.receive)
        try:
            async for data in _in_blocks(request.stream(), self._check_size):
                await run_in_threadpool(upload.write, data)
            return await run_in_threadpool(upload.keep, sha256)
        except BundleError as error:
            raise _Problem(422, "hash_mismatch", error.message) from error
        except ClientDisconnect as error:
            raise _Problem(400, "cut_off", "the upload stopped before its end; send it again") from error
        except OSError as error:
            if error.errno in _FULL:
                raise _Problem(507, "full", "the bundle store's disk is full; remove bundles or add space") from error
            raise
        finally:
            upload.discard()

    def _check_token(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("latin-1"), self._token):
            raise _Problem(401, "unauthorized", "send the store's token as Authorization: Bearer <token>")

    def _check_link(self, request: Request, path: str) -> None:
        query = request.query_params
        complaint = check_path(
            path,
            key=self._key,
            expires=query.get("expires", ""),
            signature=query.get("signature", ""),
            now=self._now(),
        )
        if complaint:
            raise _Problem(403, "forbidden", complaint)

    def _check_size(self, size: int) -> None:
        if size > self._limits.max_bytes:
            raise _Problem(413, "too_large", f"the limit max_bytes allows bundles of {self._limits.max_bytes} bytes")


def _sent(path: Path, sha256: str) -> Response:
    headers = {"etag": f'"{sha256}"', "cache-control": "private, immutable"}
    return _Bundle(path, headers=headers, media_type="application/octet-stream")


def _declared(request: Request) -> int:
    text = request.headers.get("content-length", "0")
    return int(text) if text.isdecimal() else 0


async def _in_blocks(stream: AsyncIterator[bytes], check: Callable[[int], None]) -> AsyncIterator[bytes]:
    """The same bytes in fewer pieces: each costs a hop to another thread. `check` hears how many came so far."""
    gathered, total = bytearray(), 0
    async for data in stream:
        total += len(data)
        check(total)
        gathered += data
        if len(gathered) >= _WRITE_AT_ONCE:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


async def _healthz(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _answer(_request: Request, problem: Exception) -> Response:
    if isinstance(problem, _Problem):
        return _json(problem.status_code, problem.error, problem.detail, dict(problem.headers or {}))
    status = problem.status_code if isinstance(problem, HTTPException) else 500
    word, message = _OTHERS.get(status, ("error", "the request cannot be answered"))
    return _json(status, word, message)


async def _answer_bug(_request: Request, _problem: Exception) -> Response:
    return _json(500, "error", "the bundle store failed; its log says why")


def _json(status: int, error: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    headers = {"www-authenticate": "Bearer"} if status == 401 else headers
    return JSONResponse({"error": error, "message": message}, status_code=status, headers=headers)
