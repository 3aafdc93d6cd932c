"""Requests from a Redis list: `LPUSH slipway.trigger '{"applicationName": …}'` from any client, or a kombu producer
that publishes to the queue of that name.

A message moves to a list of this consumer's own while it is worked on. The lists of consumers that are gone are put
back, so a crash loses nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from typing import Any

import redis

from adapters.store.connection import plain
from domain.errors import WorldError
from domain.triggers import Incoming

LEASE = 30
"""Seconds after which a silent consumer counts as gone."""
ANSWER_SECONDS = 3600
"""How long a plain answer waits for its reader."""


class RedisTrigger:
    """One consumer of the list."""

    def __init__(self, url: str, *, queue: str, dead_queue: str) -> None:
        self._redis = redis.Redis.from_url(plain(url), socket_timeout=30, socket_connect_timeout=5)
        self._queue, self._dead = queue, dead_queue
        self._me = uuid.uuid4().hex
        self._mine = f"{queue}.taken.{self._me}"
        self._consumers = f"{queue}.consumers"

    def receive(self, timeout: float) -> Incoming | None:
        """The next message, or None; raises WorldError if Redis is away."""
        try:
            self._renew()
            raw: Any = self._redis.blmove(self._queue, self._mine, max(1, round(timeout)), "RIGHT", "LEFT")
        except redis.RedisError as error:
            raise WorldError(f"the broker does not answer: {error}") from error
        return read(bytes(raw)) if isinstance(raw, bytes) else None

    def settle(self, incoming: Incoming) -> None:
        """Take it off this consumer's list."""
        self._ask(lambda pipe: pipe.lrem(self._mine, 1, incoming.receipt))

    def bury(self, incoming: Incoming, letter: dict[str, Any]) -> None:
        """Move it to the dead-letter list, in one transaction."""

        def move(pipe: redis.client.Pipeline) -> None:
            pipe.lpush(self._dead, json.dumps(letter))
            pipe.lrem(self._mine, 1, incoming.receipt)

        self._ask(move)

    def reply(self, incoming: Incoming, answer: dict[str, Any]) -> None:
        """Push the answer, in the form the message came in; a plain one is gone after an hour."""
        to, correlation = incoming.reply_to or "", incoming.correlation_id or incoming.message_id
        if incoming.plain:
            content = json.dumps({**answer, "correlationId": correlation} if correlation else answer)
        else:
            content = envelope(answer, to, correlation)

        def push(pipe: redis.client.Pipeline) -> None:
            pipe.lpush(to, content)
            if incoming.plain:
                pipe.expire(to, ANSWER_SECONDS)

        self._ask(push)

    def close(self) -> None:
        """Give the connections back; the next consumer finds what was not settled once this one's lease has run out."""
        self._redis.close()

    def _renew(self) -> None:
        """Say that this consumer lives, and put back what others left that no longer do."""
        seconds, _ = self._redis.time()
        self._redis.zadd(self._consumers, {self._me: float(seconds)})
        gone: Any = self._redis.zrangebyscore(self._consumers, "-inf", float(seconds) - LEASE)
        for name in {each.decode() for each in gone} - {self._me}:
            while self._redis.lmove(f"{self._queue}.taken.{name}", self._queue, "RIGHT", "RIGHT"):
                pass
            self._redis.zrem(self._consumers, name)

    def _ask(self, queue: Any) -> None:
        try:
            with self._redis.pipeline(transaction=True) as pipe:
                queue(pipe)
                pipe.execute()
        except redis.RedisError as error:
            raise WorldError(f"the broker does not answer: {error}") from error


def read(raw: bytes) -> Incoming:
    """A list entry as a message: a kombu envelope is opened, anything else is taken as it is."""
    content = _object(raw)
    if isinstance(content.get("properties"), dict) and isinstance(content.get("body"), str):
        about = content["properties"]
        return Incoming(
            body=_opened(content["body"], about),
            receipt=raw,
            message_id=_text(about.get("message_id")),
            reply_to=_text(about.get("reply_to")),
            correlation_id=_text(about.get("correlation_id")),
        )
    return Incoming(
        body=raw,
        receipt=raw,
        message_id=_text(content.get("messageId")),
        reply_to=_text(content.get("replyTo")),
        correlation_id=_text(content.get("correlationId")),
        plain=True,
    )


def _object(raw: bytes) -> dict[str, Any]:
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _opened(body: str, about: dict[str, Any]) -> bytes:
    if about.get("body_encoding") != "base64":
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        return body.encode()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def envelope(content: dict[str, Any], queue: str, correlation: str | None) -> str:
    """A message as kombu's Redis transport writes one."""
    return json.dumps(
        {
            "body": base64.b64encode(json.dumps(content).encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {},
            "properties": {
                "correlation_id": correlation,
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid.uuid4()),
            },
        }
    )
