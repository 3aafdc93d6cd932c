-- Moves a lane's next look, if it is still due at the time the caller knows of.
local due = due_key(input.id, input.phase, input.lane)
local at = redis.call('ZSCORE', due, input.lane)
if not at or tonumber(at) ~= tonumber(input.before) then return 0 end
redis.call('ZADD', due, input.check_at, input.lane)
refresh_due(input.id, input.phase, shard_of(input.lane))
return 1
