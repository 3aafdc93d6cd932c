-- All that the next move of a lane depends on. False if there is no such lane, else
-- {document (false if the caller has this version), version, progress, lane, current id, current, upcoming id, upcoming,
-- what the group remembers of the current host}
local held = redis.call('HMGET', key('deployment', input.id), 'd', 'version', 'group')
local progress = redis.call('HGETALL', key('progress', input.id, input.phase))
if not held[1] or #progress == 0 then return false end

local counters = {}
for at = 1, #progress, 2 do counters[progress[at]] = tonumber(progress[at + 1]) end
if input.lane >= counters.lanes then return false end

local lane = redis.call('GET', key('lane', input.id, input.phase, input.lane))
local current = lane and cjson.decode(lane).targetId or false
local upcoming = false
if counters.taken < counters.total then
  local index = counters.first + counters.taken
  upcoming = redis.call('HGET', key('order', input.id, page_of(index)), index)
end
local known = current and redis.call('GET', key('host', held[3], current))

local function record(target)
  return target and redis.call('HGETALL', key('target', input.id, target)) or {}
end

local document = held[2] ~= input.known and held[1]
return {document, held[2], progress, lane, current, record(current), upcoming, record(upcoming), known}
