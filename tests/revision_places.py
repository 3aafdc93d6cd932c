"""Places that revisions lie in, each a real server on loopback: S3 (moto's), GitHub (a stand-in for its API), plain
HTTP, and our own bundle server, which pulls from GitHub.
"""

from __future__ import annotations

import contextlib
import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moto.server import ThreadedMotoServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from adapters.bundles.disk import BundleDisk
from adapters.revisions.s3 import S3Links, make_s3_client
from api.bundles import bundle_app
from config.sections import GitHubSettings
from domain.bundles import BundleLimits
from tests.stories.bundle_site import serving
from workers.pulling import make_commits
from workers.sources import RevisionSources

KEY = b"signing-key-of-the-bundle-server"
UPLOAD_TOKEN = "token-for-uploads"
TOKEN = "github_pat_nobody-may-see-this"
ACCESS_KEY = "AKIDNOBODYMAYSEE"
SECRET_KEY = "s3-secret-nobody-may-see"
SECRETS = (TOKEN, SECRET_KEY, UPLOAD_TOKEN, KEY.decode())
BUCKET = "releases"
OWNER = "me"


@contextlib.contextmanager
def moto_server() -> Iterator[str]:
    """The URL of a whole AWS with a versioned bucket `releases`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        s3 = s3_client(url)
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield url
    finally:
        server.stop()


def s3_client(url: str) -> Any:
    """A client with the control plane's key."""
    return make_s3_client(
        endpoint_url=url, region="us-east-1", access_key_id=ACCESS_KEY, secret_access_key=SECRET_KEY, addressing="path"
    )


def zipped(folder: Path) -> bytes:
    """A folder as an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            archive.write(path, str(path.relative_to(folder)))
    return buffer.getvalue()


class GitHub:
    """GitHub's archives: its API asks for the token and sends to another host with a link, which takes no token."""

    def __init__(self) -> None:
        self.archives: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.answers: list[Response] = []
        """Answers of the API that are given first, in order."""
        self.gate = threading.Event()
        """The API answers once it is set."""
        self.gate.set()
        self.api = Starlette(routes=[Route("/repos/{owner}/{name}/tarball/{commit}", self._api)])
        self.codeload = Starlette(routes=[Route("/{owner}/{name}/{commit}", self._codeload)])
        self.codeload_url = ""

    def _api(self, request: Request) -> Response:
        assert self.gate.wait(20)
        commit = request.path_params["commit"]
        self.asked.append(commit)
        if self.answers:
            return self.answers.pop(0)
        given = request.headers.get("authorization")
        if given is not None and given != f"Bearer {TOKEN}":
            return JSONResponse({"message": "Bad credentials"}, 401)
        if given is None or commit not in self.archives:
            return JSONResponse({"message": "Not Found"}, 404)
        asked = request.path_params
        return RedirectResponse(f"{self.codeload_url}/{asked['owner']}/{asked['name']}/{commit}?token=temporary", 302)

    def _codeload(self, request: Request) -> Response:
        if "authorization" in request.headers or request.query_params.get("token") != "temporary":
            return Response("the API's token has no business here", 400)
        return Response(self.archives[request.path_params["commit"]], media_type="application/x-gzip")


class Places:
    """All of them at once, and the control plane's way to them."""

    def __init__(self, root: Path, *, s3_url: str, github: GitHub, github_url: str) -> None:
        self.root, self.github = root, github
        self.s3 = s3_client(s3_url)
        self.files = root / "files"
        self.files.mkdir()
        self.disk = BundleDisk(root / "bundles")
        self.now = 1_000_000.0
        settings = GitHubSettings.model_validate(
            {"api_url": github_url, "tokens": {"main": TOKEN}, "owners": {OWNER: "main"}, "max_bytes": 8_000_000}
        )
        self._bundles = bundle_app(
            self.disk,
            key=KEY,
            token=UPLOAD_TOKEN,
            now=lambda: self.now,
            limits=BundleLimits(),
            commits=make_commits(self.disk, root / "bundles", settings),
        )
        self._plain = Starlette(routes=[Route("/{name}", self._file)])
        self.bundles_url = self.plain_url = ""
        self.sources: RevisionSources
        self._servers = contextlib.ExitStack()
        self.s3_url = s3_url

    def __enter__(self) -> Places:
        self.bundles_url = self._servers.enter_context(serving(self._bundles))
        self.plain_url = self._servers.enter_context(serving(self._plain))
        self.sources = RevisionSources(
            self.bundles_url, key=KEY, link_seconds=60, s3=S3Links(lambda: self.s3, link_seconds=60)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.close()

    def _file(self, request: Request) -> Response:
        path = self.files / request.path_params["name"]
        return FileResponse(path) if path.is_file() else Response("no", 404)


@contextlib.contextmanager
def github_server() -> Iterator[tuple[GitHub, str]]:
    """The stand-in and its API's URL."""
    github = GitHub()
    with serving(github.codeload) as codeload, serving(github.api) as api:
        github.codeload_url = codeload
        yield github, api
