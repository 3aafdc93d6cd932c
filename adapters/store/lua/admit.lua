-- Keeps a new deployment and claims its group, or what else it claims. {'new' | 'repeated' | 'full' | 'busy' | 'taken', id, 1 if it waits}
local function waits(id)
  local held = redis.call('HMGET', key('deployment', id), 'claims', 'group')
  local claimed = held[1] or held[2]
  return claimed and redis.call('LPOS', key('waiting', claimed), id) and 1 or 0
end

local deployment = key('deployment', input.id)
local admission = redis.call('HGET', deployment, 'admission')
if admission == input.nonce then return {'new', input.id, waits(input.id)} end

local token = input.token ~= '' and key('token', input.token)
local earlier = token and redis.call('GET', token)
if earlier then return {'repeated', earlier, waits(earlier)} end
if admission then return {'taken', input.id, 0} end

if redis.call('ZCARD', key('active')) >= input.most then return {'full', '', 0} end
local running = redis.call('GET', key('running', input.claims))
if running and not input.queue then return {'busy', running, 0} end

local document = running and input.queued or input.document
redis.call('HSET', deployment, 'd', document, 'version', input.nonce, 'admission', input.nonce, 'group', input.group)
if input.claims ~= input.group then redis.call('HSET', deployment, 'claims', input.claims) end
if running then
  redis.call(input.first and 'LPUSH' or 'RPUSH', key('waiting', input.claims), input.id)
else
  redis.call('SET', key('running', input.claims), input.id)
end
redis.call('ZADD', key('active'), 0, input.id)
redis.call('ZADD', key('recent'), input.created, input.id)
redis.call('ZADD', key('recent', input.group), input.created, input.id)
redis.call('ZADD', key('recent-of', input.application), input.created, input.id)
if token then redis.call('SET', token, input.id, 'EX', input.token_seconds) end
tell(input.happenings)
if running then tell(input.if_queued) end
return {'new', input.id, running and 1 or 0}
