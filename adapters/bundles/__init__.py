"""Where the built-in store keeps bundles."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.bundles.disk import BundleDisk

BUNDLE_STORES: Mapping[str, type[BundleDisk]] = {"disk": BundleDisk}
"""Every place for bundles by the word the settings use for it."""
