-- Moves the next look at each lane that is still due at the time the caller knows of.
for _, look in ipairs(input.looks) do
  local due = due_key(look.id, look.phase, look.lane)
  local at = redis.call('ZSCORE', due, look.lane)
  if at and tonumber(at) == tonumber(look.before) then
    redis.call('ZADD', due, look.check_at, look.lane)
    refresh_due(look.id, look.phase, shard_of(look.lane))
  end
end
return 1
