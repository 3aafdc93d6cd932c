-- Writes a deployment if its version is the expected one. False if not; else the id of the deployment that was freed, or ''.
local before = answered()
if before then return before end
local deployment = key('deployment', input.id)
if version_of(deployment) ~= input.version then return false end
local held = redis.call('HMGET', deployment, 'group', 'claims', 'final')
local claimed, final = held[2] or held[1], held[3]

redis.call('HSET', deployment, 'd', input.document, 'version', input.nonce)
tell(input.happenings)
if final or not input.final then return answer('') end

-- It ends with this change: nothing of it is due or active any more, and what it claimed is free.
redis.call('HSET', deployment, 'final', 1)
redis.call('ZREM', key('active'), input.id)
for _, name in ipairs(redis.call('HKEYS', deployment)) do
  local phase = string.match(name, '^lanes:(%d+)$')
  if phase then
    local lanes = tonumber(redis.call('HGET', deployment, name))
    for shard = 0, shard_of(math.max(lanes - 1, 0)) do
      redis.call('DEL', key('due', input.id, phase, shard))
      refresh_due(input.id, phase, shard)
    end
  end
end
if redis.call('GET', key('running', claimed)) ~= input.id then
  redis.call('LREM', key('waiting', claimed), 0, input.id)
  return answer('')
end
local next = redis.call('LPOP', key('waiting', claimed))
if not next then
  redis.call('DEL', key('running', claimed))
  return answer('')
end
redis.call('SET', key('running', claimed), next)
return answer(next)
