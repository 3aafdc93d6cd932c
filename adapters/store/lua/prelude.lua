-- What every script begins with. ARGV[1] is the prefix of all keys, ARGV[2] the input as JSON; every number in the input
-- that is a time comes as text, because cjson would round it. ARGV[3] is how many happenings are kept for a channel that
-- is away.
local prefix = ARGV[1]
local input = cjson.decode(ARGV[2])

local PAGE, LANES_PER_SHARD = 128, 256

local function escape(text)
  return (string.gsub(text, '[^A-Za-z0-9+=,.@_%-]', function(c) return string.format('%%%02X', string.byte(c)) end))
end

local function key(...)
  local words = {prefix}
  for _, word in ipairs({...}) do words[#words + 1] = escape(tostring(word)) end
  return table.concat(words, ':')
end

-- What is told outside stands in one stream, numbered; each channel knows how far it has come in it.
local function tell(happenings)
  for _, happening in ipairs(happenings) do
    local number = redis.call('INCR', key('happened', 'last'))
    redis.call('XADD', key('happened'), 'MAXLEN', '~', ARGV[3], number .. '-0', 'd', happening)
  end
end

local function last_told()
  return tonumber(redis.call('GET', key('happened', 'last')) or 0)
end

local function page_of(index)
  return math.floor(index / PAGE)
end

local function shard_of(lane)
  return math.floor(lane / LANES_PER_SHARD)
end

-- The lanes that are due lie in shards; one set knows the earliest of each shard.
local function due_key(id, phase, lane)
  return key('due', id, phase, shard_of(lane))
end

local function refresh_due(id, phase, shard)
  local member = escape(id) .. ':' .. phase .. ':' .. shard
  local first = redis.call('ZRANGE', key('due', id, phase, shard), 0, 0, 'WITHSCORES')
  if first[2] then
    redis.call('ZADD', key('due'), first[2], member)
  else
    redis.call('ZREM', key('due'), member)
  end
end

-- A write that is sent again because its answer was lost is known by its mark, however many others have written since,
-- and gets the answer of the first time. The client gives up long before the mark is forgotten.
local MARK_SECONDS = 600

local function answered()
  return redis.call('GET', key('mark', input.nonce))
end

local function answer(with)
  redis.call('SET', key('mark', input.nonce), with, 'EX', MARK_SECONDS)
  return with
end

-- A document's hash holds the mark of the write that made its version; '' if there is none yet.
local function version_of(document)
  return redis.call('HGET', document, 'version') or ''
end
