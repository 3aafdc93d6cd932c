-- Keeps target records at their indexes. What is under way stays as it is; what only waits may be laid out anew until the
-- first phase opens. From then on nothing that is there changes its place.
local held = redis.call('HMGET', key('deployment', input.id), 'd', 'opened')
local opened = held[2]
if not held[1] then return 0 end

local function record_key(target)
  return key('target', input.id, target)
end

local function stays(target)
  local status = redis.call('HGET', record_key(target), 'status')
  return status and (opened or status ~= 'Pending')
end

local function lay(target, index, fields)
  local page = key('order', input.id, page_of(index))
  local occupant = redis.call('HGET', page, index)
  if stays(target) or (occupant and stays(occupant)) then return end
  local before = redis.call('HGET', record_key(target), 'index')
  if before then redis.call('HDEL', key('order', input.id, page_of(tonumber(before))), before) end
  if occupant then redis.call('DEL', record_key(occupant)) end
  redis.call('DEL', record_key(target))
  redis.call('HSET', record_key(target), unpack(fields))
  redis.call('HSET', page, index, target)
end

for _, record in ipairs(input.records) do lay(record[1], tonumber(record[2]), record[3]) end
return 1
