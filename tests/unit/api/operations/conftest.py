"""What the tests of the operations begin with."""

from __future__ import annotations

import pytest

from tests.unit.api.operations.calling import Api


@pytest.fixture
def api() -> Api:
    """An installation with nothing in it."""
    return Api()
