-- Writes a step if everything it was decided on is as it was. 1: written (now or by this very write before), 0: not.
local deployment = key('deployment', input.id)
local progress = key('progress', input.id, input.phase)
local lane = key('lane', input.id, input.phase, input.lane)

local function record_key(target)
  return key('target', input.id, target)
end

local function unchanged(record)
  return (redis.call('HGET', record_key(record.id), 'version') or '') == record.version
end

local function host_unchanged()
  return (redis.call('GET', key('host', input.group, input.host.id)) or '') == input.host.before
end

local present = redis.call('GET', lane) or ''
if present == input.lane_after then return 1 end
if present ~= input.lane_before then return 0 end
if redis.call('HGET', deployment, 'version') ~= input.version then return 0 end
if redis.call('HGET', progress, 'version') ~= input.progress_version then return 0 end
for _, record in ipairs(input.records) do
  if not unchanged(record) then return 0 end
end
if input.host and not host_unchanged() then return 0 end

redis.call('SET', lane, input.lane_after)
redis.call('HSET', progress, unpack(input.progress))
for _, record in ipairs(input.records) do
  if #record.drop > 0 then redis.call('HDEL', record_key(record.id), unpack(record.drop)) end
  redis.call('HSET', record_key(record.id), unpack(record.set))
  redis.call('HINCRBY', record_key(record.id), 'version', 1)
end
if input.host then redis.call('SET', key('host', input.group, input.host.id), input.host.after) end
if input.check_at == '' then
  redis.call('ZREM', due_key(input.id, input.phase, input.lane), input.lane)
elseif redis.call('HEXISTS', deployment, 'final') == 0 then
  redis.call('ZADD', due_key(input.id, input.phase, input.lane), input.check_at, input.lane)
end
refresh_due(input.id, input.phase, shard_of(input.lane))
tell(input.happenings)
return 1
