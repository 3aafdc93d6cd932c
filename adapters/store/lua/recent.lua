-- Ids and create times of deployments, newest first, ties by id in reverse: {id, time, id, time, …}. `after_at`, `after_id` are
-- the last one of the page before: many deployments may share its time, so the page begins inside that time.
local index = input.group == '' and key('recent') or key('recent', input.group)
local high, skip = input.high, 0
if input.after_id ~= '' then
  high = input.after_at
  local same = redis.call('ZRANGEBYSCORE', index, high, high)
  for _, id in ipairs(same) do if id >= input.after_id then skip = skip + 1 end end
end
return redis.call('ZREVRANGEBYSCORE', index, high, input.low, 'WITHSCORES', 'LIMIT', skip, input.limit)
