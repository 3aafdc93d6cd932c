"""Revisions as a person writes them on a command line: `s3://…`, `github:…`, `https://…`. Anything else is a path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from pydantic import ValidationError

from domain.bundles import ENDINGS, bundle_type_of
from domain.errors import BundleError, InvalidRevision
from domain.revisions import RevisionLocation
from workflows.admission import check_revision
from workflows.triggering import printable

FORMS = "s3://bucket/key?version=&etag=, github:owner/name@commit//folder, https://host/path.tgz#sha256="
_SCHEME = re.compile(r"(s3|https?)://|github:", re.IGNORECASE)
_GITHUB = re.compile(r"([^@]+)@([^@/]+)(?://(.*))?", re.DOTALL)
_TYPES = frozenset({kind.value for kind in ENDINGS.values()})


def revision_from(text: str) -> RevisionLocation | None:
    """The revision that a text names, None if it is a path; raises InvalidRevision."""
    scheme = _SCHEME.match(text)
    if scheme is None:
        return None
    read = {"s3://": _s3, "github:": _github}.get(scheme[0].lower(), _http)
    try:
        revision = RevisionLocation.model_validate(read(text))
    except (BundleError, ValidationError, ValueError) as error:
        raise InvalidRevision(f"{_shown(text)} names no revision: {_reason(error)}") from None
    check_revision(revision)
    return revision


def text_of(revision: RevisionLocation) -> str:
    """A revision as `revision_from` reads it, without a query that could make a link good; where it lies in no such
    place, its path on the hosts or the SHA-256 of its bundle."""
    s3, github, http = revision.s3_location, revision.github_location, revision.http_location
    if s3 is not None:
        return f"s3://{quote(s3.bucket)}/{quote(s3.key)}" + _after("?", version=s3.version, etag=s3.e_tag)
    if github is not None:
        return f"github:{github.repository}@{github.commit_id}" + (f"//{github.subfolder}" if github.subfolder else "")
    if http is not None:
        return _shown(http.url) + _after("#", sha256=http.sha256, subfolder=http.subfolder)
    if revision.bundle_location is not None:
        bundle = revision.bundle_location
        return f"bundle {bundle.sha256}" + _after("#", subfolder=bundle.subfolder)
    return printable(revision.local_location.path if revision.local_location else revision.revision_type)


def _after(mark: str, **options: str | None) -> str:
    given = {name: value for name, value in options.items() if value}
    return mark + urlencode(given) if given else ""


def _s3(text: str) -> Mapping[str, Any]:
    # Not split as a URL: keys may hold '#', and a '?' where a version is meant is the last one.
    place, mark, query = text[len("s3://") :].rpartition("?")
    bucket, _, key = (place if mark else query).partition("/")
    options = _options(query if mark else "", "version", "etag", "type")
    location = {
        "bucket": bucket,
        "key": unquote(key),
        "bundleType": _kind(key, options),
        "version": options.get("version"),
        "eTag": options.get("etag"),
    }
    return {"revisionType": "S3", "s3Location": location}


def _github(text: str) -> Mapping[str, Any]:
    found = _GITHUB.fullmatch(text[len("github:") :])
    if found is None:
        raise ValueError("write github:owner/name@commit or github:owner/name@commit//folder")
    repository, commit, folder = found.groups()
    location = {"repository": repository, "commitId": commit, "subfolder": folder}
    return {"revisionType": "GitHub", "gitHubLocation": location}


def _http(text: str) -> Mapping[str, Any]:
    url, _, fragment = text.partition("#")
    options = _options(fragment, "sha256", "subfolder", "type")
    location = {
        "url": url,
        "bundleType": _kind(urlsplit(url).path, options),
        "sha256": options.get("sha256"),
        "subfolder": options.get("subfolder"),
    }
    return {"revisionType": "HTTP", "httpLocation": location}


def _options(text: str, *known: str) -> dict[str, str]:
    options = dict(parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)))
    if strange := sorted(options.keys() - set(known)):
        raise ValueError(f"{strange[0]} means nothing here; {', '.join(known)} do")
    return {name: value for name, value in options.items() if value}


def _kind(path: str, options: Mapping[str, str]) -> str:
    kind = options.get("type") or bundle_type_of(path.rpartition("/")[2]).value
    if kind not in _TYPES:
        raise ValueError(f"the type {kind} is none of {', '.join(sorted(_TYPES))}")
    return kind


def _shown(text: str) -> str:
    """The text without what could be a login or make a link good."""
    shown = re.split("[?#]", text, maxsplit=1)[0]
    return re.sub(r"//.*@", "//…@", shown, flags=re.DOTALL)


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        problem = error.errors(include_url=False, include_input=False)[0]
        return f"{problem['loc'][-1]}: {problem['msg']}"
    return str(error)
