"""Puts bundles into Slipway's own store."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from adapters.revisions.web import RETRIES, GiveUp, Patience, client, raise_for, shown
from domain.bundles import Retries
from domain.errors import BundleError


def upload_bundle(
    base_url: str,
    token: str,
    bundle: Path,
    sha256: str,
    *,
    retries: Retries = RETRIES,
    wait: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = random.random,
) -> None:
    """Put a bundle into the store at `base_url`, unless it is there; raises BundleError with the store's answer."""
    url = f"{base_url.rstrip('/')}/bundles/{sha256}"
    headers = {"authorization": f"Bearer {token}"}
    what = f"uploading {bundle} to {shown(url)}"
    try:
        with client(url, retries, follow=False) as web:

            def attempt() -> None:
                if not _has(web, url, headers):
                    _put(web, url, headers, bundle)

            Patience(retries, wait, jitter).insist(what, attempt)
    except httpx.InvalidURL:
        raise BundleError(f"{what} failed: the store's address is no http or https URL") from None
    except httpx.HTTPError as error:
        raise BundleError(f"{what} failed: {error}") from error
    except OSError as error:
        raise BundleError(f"{what} failed: {error.strerror or error}") from error


def _has(web: httpx.Client, url: str, headers: dict[str, str]) -> bool:
    response = web.head(url, headers=headers)
    if response.status_code == httpx.codes.NOT_FOUND:
        return False
    _raise_unless_success(response)
    return True


def _put(web: httpx.Client, url: str, headers: dict[str, str], bundle: Path) -> None:
    with bundle.open("rb") as content:
        size = {"content-length": str(bundle.stat().st_size)}
        with web.stream("PUT", url, headers=headers | size, content=content) as response:
            _raise_unless_success(response)


def _raise_unless_success(response: httpx.Response) -> None:
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise GiveUp("401 Unauthorized: the store has another token; use the one it was started with")
    raise_for(response)
    if not response.is_success:
        raise GiveUp(f"unexpected status {response.status_code}: is it a bundle store?")
