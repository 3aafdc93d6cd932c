-- Starts the counters of a phase and makes its lanes due, unless it is open or there is no deployment that runs.
local deployment = key('deployment', input.id)
local held = redis.call('HMGET', deployment, 'd', 'final')
local progress = key('progress', input.id, input.phase)
if not held[1] or held[2] or redis.call('EXISTS', progress) == 1 then return 0 end

local phase = (cjson.decode(held[1]).phases or {})[input.phase + 1] or {}
redis.call('HSET', progress, 'first', phase.first or 0, unpack(input.progress))
redis.call('HSET', deployment, 'opened', 1, 'lanes:' .. input.phase, input.lanes)
for shard = 0, shard_of(input.lanes - 1) do
  local first = shard * LANES_PER_SHARD
  local members = {}
  for lane = first, math.min(first + LANES_PER_SHARD, input.lanes) - 1 do
    members[#members + 1] = input.check_at
    members[#members + 1] = lane
  end
  redis.call('ZADD', key('due', input.id, input.phase, shard), unpack(members))
  refresh_due(input.id, input.phase, shard)
end
return 1
