"""Where bundles come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from adapters.revisions.http import fetch_http
from adapters.revisions.local import fetch_local

FETCHERS: Mapping[str, Callable[..., Path]] = {"http": fetch_http, "https": fetch_http, "": fetch_local}
"""Ways to fetch a bundle by the scheme of its location (a path has none): `fetch(location, to, sha256=, limits=)`."""
