-- Writes a deployment if its version is the expected one. False if not; else the id of the deployment that was freed, or ''.
local deployment = key('deployment', input.id)
local held = redis.call('HMGET', deployment, 'group', 'final', 'freed', 'claims')
local claimed, final, freed = held[4] or held[1], held[2], held[3]
local verdict = judge_write(deployment)
if verdict == 'done' then return final == input.nonce and freed or '' end
if verdict == 'late' then return false end

redis.call('HSET', deployment, 'd', input.document)
tell(input.happenings)
if final or not input.final then return '' end

-- It ends with this change: nothing of it is due or active any more, and what it claimed is free.
redis.call('HSET', deployment, 'final', input.nonce)
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
  return ''
end
local next = redis.call('LPOP', key('waiting', claimed))
if not next then
  redis.call('DEL', key('running', claimed))
  return ''
end
redis.call('SET', key('running', claimed), next)
redis.call('HSET', deployment, 'freed', next)
return next
