-- Notes that channels are served and passes over what they have lost; how every channel stands, or how these do.
-- {last number, name, told, tries, since, again, why, lost, dead letters, name, ...}
local REFRESH = 60
local last = last_told()
local oldest = redis.call('XRANGE', key('happened'), '-', '+', 'COUNT', 1)[1]
local passed = oldest and tonumber(string.match(oldest[1], '^%d+')) - 1 or last
local none_yet = redis.call('EXISTS', key('channels')) == 0

local function serve(name)
  local channel = key('channel', name)
  local seen = tonumber(redis.call('HGET', key('channels'), name))
  if not seen then redis.call('HSET', channel, 'told', none_yet and passed or last) end
  if not seen or input.now - seen >= REFRESH then redis.call('HSET', key('channels'), name, input.now) end
  local told = tonumber(redis.call('HGET', channel, 'told'))
  if told < passed then
    redis.call('HSET', channel, 'told', passed)
    redis.call('HINCRBY', channel, 'lost', passed - told)
  end
end

local function forget(name)
  redis.call('HDEL', key('channels'), name)
  redis.call('DEL', key('channel', name), key('dead', name))
end

for _, name in ipairs(input.names) do serve(name) end
local known = redis.call('HGETALL', key('channels'))
if #input.names > 0 then
  for at = 1, #known, 2 do
    if input.now - tonumber(known[at + 1]) > input.forgotten_after then forget(known[at]) end
  end
end

local answer = {last}
for _, name in ipairs(#input.names > 0 and input.names or redis.call('HKEYS', key('channels'))) do
  local held = redis.call('HMGET', key('channel', name), 'told', 'tries', 'since', 'again', 'why', 'lost')
  answer[#answer + 1] = name
  for at = 1, 6 do answer[#answer + 1] = held[at] or '' end
  answer[#answer + 1] = redis.call('XLEN', key('dead', name))
end
return answer
