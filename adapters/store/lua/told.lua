-- A channel is done with happenings up to a number, if it stands where the caller thinks: it fails no more, its dead letters
-- are kept, and what nobody needs any more is forgotten. 1: it stands there now (or by this very script before), 0: not.
local channel, dead = key('channel', input.channel), key('dead', input.channel)
local stands = tonumber(redis.call('HGET', channel, 'told') or '')
if stands == input.after then return 1 end
if stands ~= input.before then return 0 end
redis.call('HSET', channel, 'told', input.after)
redis.call('HDEL', channel, 'tries', 'since', 'again', 'why')

for _, letter in ipairs(input.letters) do
  local before = redis.call('XLEN', dead)
  redis.call('XADD', dead, 'MAXLEN', input.most_dead, '*', 'd', letter)
  redis.call('HINCRBY', channel, 'lost', before + 1 - redis.call('XLEN', dead))
end

local last = last_told()
local behind = last
for _, name in ipairs(redis.call('HKEYS', key('channels'))) do
  behind = math.min(behind, tonumber(redis.call('HGET', key('channel', name), 'told')))
end
redis.call('XTRIM', key('happened'), 'MAXLEN', '~', math.max(input.most, last - behind))
return 1
