-- Takes some of an application's deployments out of the lists; how many there were.
local mine = key('recent-of', input.application)
local ids = redis.call('ZRANGE', mine, 0, input.most - 1)
for _, id in ipairs(ids) do
  redis.call('ZREM', key('recent'), id)
  redis.call('ZREM', key('recent', redis.call('HGET', key('deployment', id), 'group')), id)
  redis.call('ZREM', mine, id)
end
return #ids
