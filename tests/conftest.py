"""Fixtures for every folder: real servers, started when the first test asks for one and shared by the whole run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rabbitmq import RabbitMQ, find_rabbitmq
from tests.services import require
from workers.embedded import EmbeddedRedis


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis; tests that share it use keys of their own."""
    # Not pytest's folder: unix sockets take short paths only.
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder, EmbeddedRedis(Path(folder)) as server:
        yield server.url


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A real RabbitMQ; it takes seconds to start, so tests share it and use queues of their own."""
    with RabbitMQ(require(find_rabbitmq(), "rabbitmq-server")) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_url(rabbitmq: RabbitMQ) -> str:
    """Its address."""
    return rabbitmq.url
