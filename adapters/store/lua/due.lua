-- The most overdue lanes: {shard, {lane, time, lane, time ...}, shard, ...}. The shards are looked through in the order of
-- their earliest lane, so the first `limit` of them hold the first `limit` lanes.
local found = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', key('due'), '-inf', input.now, 'LIMIT', 0, input.limit)) do
  found[#found + 1] = member
  found[#found + 1] =
    redis.call('ZRANGEBYSCORE', prefix .. ':due:' .. member, '-inf', input.now, 'WITHSCORES', 'LIMIT', 0, input.limit)
end
return found
