"""Messages on Redis that somebody took and did not acknowledge: kombu keeps them in a hash, and an index of when each
was taken. What hosts took is never put back by age, so what a killed agent held would lie there for ever.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import redis

AT_ONCE = 500
"""Messages that one script drops: others wait while it runs."""

# At once, for a message that is put back and taken again meanwhile keeps its tag, and has a new time.
_FORGET = """
local tags = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])
if #tags > 0 then
  redis.call('HDEL', KEYS[1], unpack(tags))
  redis.call('ZREM', KEYS[2], unpack(tags))
end
return #tags
"""


def forget_unacked(channel: Any, key: str, index: str, *, before: float) -> int:
    """Drop what was taken before then (epoch seconds) and is still unacknowledged; how many messages that were. Who has
    one in hand all the same goes on with it and acknowledges nothing. Other brokers than Redis keep no such account."""
    if not isinstance(channel, redis.Channel):
        return 0
    forgotten = 0
    with channel.conn_or_acquire() as client:
        while last := int(client.eval(_FORGET, 2, key, index, before, AT_ONCE)):
            forgotten += last
    return forgotten
