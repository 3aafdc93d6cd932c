"""Requests from a Redis list: `LPUSH slipway.trigger '{"applicationName": …}'` from any client, or a kombu producer
that publishes to the queue of that name.

A message moves to a list of this consumer's own while it is worked on. The lists of consumers that are gone are put
back, so a crash loses nothing.
"""

from __future__ import annotations

import base64
import contextlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import redis

from adapters.store.connection import plain
from domain.errors import WorldError
from domain.triggers import Incoming

LEASE = 30
"""Seconds after which a silent consumer counts as gone."""
FORGET = 3600
"""Seconds after which one that is gone is forgotten. Not at once: it may be asleep between saying that it lives and
taking a message."""
ANSWER_SECONDS = 3600
"""How long a plain answer waits for its reader."""
LARGEST = 1024 * 1024
"""Bytes of an entry that is looked into; a larger one is no request, whatever it holds."""

# A name that a stranger gives could be anybody's key: nothing but a list is written to, and only a list that began with
# an answer, or runs out already, is made to run out.
_PUSH = """
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'none' and kind ~= 'list' then return 0 end
local length = redis.call('LPUSH', KEYS[1], ARGV[1])
if tonumber(ARGV[2]) > 0 and (length == 1 or redis.call('TTL', KEYS[1]) > 0) then
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return 1
"""


class RedisTrigger:
    """One consumer of the list."""

    def __init__(self, url: str, *, queue: str, dead_queue: str) -> None:
        self._redis = redis.Redis.from_url(plain(url), socket_timeout=30, socket_connect_timeout=5)
        self._queue, self._dead = queue, dead_queue
        self._me = uuid.uuid4().hex
        self._mine = self._taken_by(self._me)
        self._consumers = f"{queue}.consumers"
        self._looked = 0.0

    def receive(self, timeout: float) -> Incoming | None:
        """The next message, or None; raises WorldError if Redis is away."""
        with self._answering():
            now = self._renew()
            if now - self._looked >= LEASE / 3:
                self._put_back_from_the_gone(now)
                self._looked = now
            # Redis may have moved a message and the word of it was lost.
            left: Any = self._redis.lindex(self._mine, -1)
            if left is not None:
                return read(left, redelivered=True)
            raw: Any = self._redis.blmove(self._queue, self._mine, max(1, round(timeout)), "RIGHT", "LEFT")
            return None if raw is None else read(raw)

    def keep(self, incoming: Incoming) -> None:  # noqa: ARG002  (there is but one)
        """Say that this consumer lives."""
        with self._answering():
            self._renew()

    def settle(self, incoming: Incoming) -> None:
        """Take it off this consumer's list."""
        with self._answering():
            self._redis.lrem(self._mine, 1, incoming.receipt)

    def bury(self, incoming: Incoming, letter: dict[str, Any]) -> None:
        """Move it to the dead-letter list, in one transaction."""
        with self._answering(), self._redis.pipeline(transaction=True) as pipe:
            pipe.lpush(self._dead, json.dumps(letter))
            pipe.lrem(self._mine, 1, incoming.receipt)
            pipe.execute()

    def reply(self, incoming: Incoming, answer: dict[str, Any]) -> bool:
        """Push the answer, in the form the message came in; a plain one is gone after an hour."""
        to, correlation = incoming.reply_to or "", incoming.correlation_id or incoming.message_id
        if incoming.plain:
            content = json.dumps({**answer, "correlationId": correlation} if correlation else answer)
        else:
            content = envelope(answer, to, correlation)
        with self._answering():
            return bool(self._redis.eval(_PUSH, 1, to, content, ANSWER_SECONDS if incoming.plain else 0))

    def close(self) -> None:
        """Put back what was not settled and give the connections back. Where Redis is away the next consumer finds it
        once this one's lease has run out."""
        with contextlib.suppress(redis.RedisError):
            self._put_back(self._me)
            self._redis.zrem(self._consumers, self._me)
        self._redis.close()

    def _taken_by(self, consumer: str) -> str:
        return f"{self._queue}.taken.{consumer}"

    def _renew(self) -> float:
        """Say that this consumer lives; the server's time, which all consumers share."""
        seconds, _ = self._redis.time()
        self._redis.zadd(self._consumers, {self._me: float(seconds)})
        return float(seconds)

    def _put_back_from_the_gone(self, now: float) -> None:
        gone: Any = self._redis.zrangebyscore(self._consumers, "-inf", now - LEASE)
        for name in {each.decode() for each in gone} - {self._me}:
            self._put_back(name)
        self._redis.zremrangebyscore(self._consumers, "-inf", now - FORGET)

    def _put_back(self, consumer: str) -> None:
        """To the end that is read next: it was first before."""
        while self._redis.lmove(self._taken_by(consumer), self._queue, "RIGHT", "RIGHT") is not None:
            pass

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            raise WorldError(f"the broker does not answer: {error}") from error


def read(raw: bytes, *, redelivered: bool = False) -> Incoming:
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
            redelivered=redelivered,
        )
    return Incoming(
        body=raw,
        receipt=raw,
        message_id=_text(content.get("messageId")),
        reply_to=_text(content.get("replyTo")),
        correlation_id=_text(content.get("correlationId")),
        plain=True,
        redelivered=redelivered,
    )


def _object(raw: bytes) -> dict[str, Any]:
    if len(raw) > LARGEST:
        return {}
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _opened(body: str, about: dict[str, Any]) -> bytes:
    if about.get("body_encoding") == "base64":
        with contextlib.suppress(ValueError):
            return base64.b64decode(body, validate=True)
    # Half a character is refused later, with the reason; here it must not end the loop.
    return body.encode("utf-8", "surrogatepass")


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
