-- Writes down that a channel failed, if it stands where the caller thinks. 1: it does, 0: not.
local channel = key('channel', input.channel)
if tonumber(redis.call('HGET', channel, 'told') or '') ~= input.before then return 0 end
redis.call('HSET', channel, 'tries', input.tries, 'since', input.since, 'again', input.again_at, 'why', input.why)
return 1
