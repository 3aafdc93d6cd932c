"""Commits pulled in from GitHub by the bundle server: once for all, with the token kept to GitHub's API, and failures
in words for people.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response

from adapters.revisions.github import Token, token_for
from tests.revision_places import KEY, OWNER, TOKEN, UPLOAD_TOKEN, GitHub, Places, github_server
from workflows.signing import commit_path, sign_path

COMMIT = "a1" * 20
ARCHIVE = b"archive" * 1000


@pytest.fixture(scope="module")
def standing() -> Iterator[tuple[GitHub, str]]:
    with github_server() as found:
        yield found


@pytest.fixture
def places(standing: tuple[GitHub, str], tmp_path: Path) -> Iterator[Places]:
    github, url = standing
    github.archives = {COMMIT: ARCHIVE}
    github.asked.clear()
    github.answers.clear()
    with Places(tmp_path, s3_url="http://127.0.0.1:9", github=github, github_url=url) as found:
        yield found


def get(places: Places, *, owner: str = OWNER, commit: str = COMMIT) -> httpx.Response:
    path = sign_path(commit_path(f"{owner}/app", commit), key=KEY, expires=2_000_000)
    return httpx.get(places.bundles_url + path, trust_env=False, timeout=20)


def test_a_commit_is_pulled_in_once_and_kept_by_its_hash(places: Places) -> None:
    answers = [get(places) for _ in range(3)]
    assert [answer.content for answer in answers] == [ARCHIVE] * 3
    (stored,) = places.disk.list()
    assert {answer.headers["etag"] for answer in answers} == {f'"{stored.sha256}"'}
    assert len(places.github.asked) == 1


def test_case_makes_no_second_pull(places: Places) -> None:
    assert get(places).content == get(places, owner=OWNER.upper(), commit=COMMIT.upper()).content
    assert len(places.github.asked) == 1


def test_hosts_that_ask_at_once_wait_for_one_pull(places: Places) -> None:
    places.github.gate.clear()
    found: list[bytes] = []
    hosts = [threading.Thread(target=lambda: found.append(get(places).content)) for _ in range(8)]
    for host in hosts:
        host.start()
    places.github.gate.set()
    for host in hosts:
        host.join(20)
    assert found == [ARCHIVE] * 8
    assert len(places.github.asked) == 1


def test_one_that_goes_away_takes_nothing_from_the_others(places: Places) -> None:
    places.github.gate.clear()
    path = sign_path(commit_path(f"{OWNER}/app", COMMIT), key=KEY, expires=2_000_000)
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(places.bundles_url + path, trust_env=False, timeout=0.3)
    places.github.gate.set()
    assert get(places).content == ARCHIVE
    assert len(places.github.asked) == 1


def test_a_bundle_that_was_removed_is_pulled_in_again(places: Places) -> None:
    get(places)
    (stored,) = places.disk.list()
    places.disk.remove(stored.sha256)
    assert get(places).content == ARCHIVE
    assert len(places.github.asked) == 2


LIMIT = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1000600"}


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        (JSONResponse({"message": "Not Found"}, 404), 404, "GitHub shows no commit me/app@a1a1"),
        (JSONResponse({"message": "Bad credentials"}, 401), 424, "does not accept the token 'main'"),
        (JSONResponse({"message": "SAML enforcement"}, 403), 424, "403 for me/app@.*: SAML enforcement"),
        (JSONResponse({}, 403, headers=LIMIT), 503, "used up until 1970-01-12 13:56:40 UTC"),
        (JSONResponse({}, 429, headers={"retry-after": "600"}), 503, "used up until"),
        (Response("", 502), 503, "GitHub answers 502"),
        (RedirectResponse("ftp://host/x"), 424, "not followed"),
        (Response(b"x" * 8_000_001), 424, "larger than github.max_bytes"),
    ],
)
def test_failures_in_words(places: Places, answer: Response, status: int, says: str) -> None:
    places.github.answers.append(answer)
    told = get(places)
    assert told.status_code == status
    assert re.search(says, told.json()["message"])
    assert TOKEN not in told.text
    assert places.disk.list() == []
    assert not list((places.root / "bundles/incoming").iterdir())


def test_a_failure_counts_for_a_while(places: Places) -> None:
    places.github.answers += [JSONResponse({}, 404), JSONResponse({}, 403, headers=LIMIT)]
    assert [get(places).status_code for _ in range(3)] == [404] * 3
    places.now += 6
    limited = [get(places) for _ in range(3)]
    assert [answer.status_code for answer in limited] == [503] * 3
    assert limited[0].headers["retry-after"] == "594"
    assert len(places.github.asked) == 2
    places.now += 595
    assert get(places).content == ARCHIVE


def test_an_owner_without_a_token_is_asked_for_without_one(places: Places) -> None:
    told = get(places, owner="stranger")
    assert told.status_code == 404
    assert "to anyone without a token" in told.json()["message"]


def test_only_a_signed_link_is_good(places: Places) -> None:
    url = places.bundles_url + commit_path(f"{OWNER}/app", COMMIT)
    upload = {"authorization": f"Bearer {UPLOAD_TOKEN}"}
    assert [httpx.get(url, headers=each, trust_env=False).status_code for each in ({}, upload)] == [403, 403]
    assert get(places, owner="..").status_code in {400, 404}
    assert get(places, commit="main").status_code == 400
    assert places.github.asked == []


def test_a_github_that_is_away_is_said(places: Places, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with Places(
        tmp_path / "other", s3_url="http://127.0.0.1:9", github=places.github, github_url="http://127.0.0.1:9"
    ) as away:
        told = get(away)
    assert told.status_code == 503
    assert "does not answer for me/app@" in told.json()["message"]


@pytest.mark.parametrize(
    ("owners", "found"),
    [({}, None), ({"Me": "a"}, "a"), ({"*": "b"}, "b"), ({"me": "a", "*": "b"}, "a"), ({"you": "a"}, None)],
)
def test_whose_token(owners: dict[str, str], found: str | None) -> None:
    token = token_for("me", {"a": "hush", "b": "hush"}, owners)
    assert token == (Token(found, "hush") if found else None)
    assert "hush" not in repr(token)
