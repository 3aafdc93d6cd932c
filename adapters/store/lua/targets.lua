-- Records in pick order: {id, fields, id, fields ...}
local found = {}
for index = input.first, input.first + input.count - 1 do
  local target = redis.call('HGET', key('order', input.id, page_of(index)), index)
  if target then
    found[#found + 1] = target
    found[#found + 1] = redis.call('HGETALL', key('target', input.id, target))
  end
end
return found
