"""What our Redis channels bear beyond kombu's: nobody to put messages back to, a read that must not reconnect, and a
client for every command."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from kombu.transport import redis
from redis import ConnectionPool, Redis

from adapters.broker.redis import TolerantChannel, TolerantQoS


def test_messages_in_hand_are_let_go_without_a_connection() -> None:
    account: Any = object.__new__(TolerantQoS)
    account.channel = SimpleNamespace(connection=SimpleNamespace(client=None))
    account._delivered = {"tag": "message"}
    account.restore_unacked()
    assert account._delivered == {}


def test_connections_do_not_start_anew_in_the_middle_of_a_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis.Channel, "_connparams", lambda *_, **__: {"host": "h"})
    channel: Any = object.__new__(TolerantChannel)
    given = channel._connparams()
    assert given["host"] == "h"
    assert given["retry"]._retries == 0


def test_commands_share_a_client_until_there_is_another_pool() -> None:
    channel: Any = object.__new__(TolerantChannel)
    channel.Client = Redis
    channel._pool = ConnectionPool()
    with channel.conn_or_acquire() as one, channel.conn_or_acquire() as other:
        assert one is other
    channel._pool = ConnectionPool()
    with channel.conn_or_acquire() as fresh:
        assert fresh is not one
        assert fresh.connection_pool is channel._pool


@pytest.mark.parametrize("entry", ["words", "7", "[1]", "{}", '{"properties": {}}', '{"properties": 1, "body": ""}'])
def test_what_is_no_message_is_dropped_by_who_asks_for_one(monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    monkeypatch.setattr(TolerantChannel, "_get", lambda *_: json.loads(entry))
    assert object.__new__(TolerantChannel).basic_get("host.web-1") is None
