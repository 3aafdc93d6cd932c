-- Keeps a document under its identity, and its name, if its version is the expected one ('' for none yet) and no other has
-- the name. 'filed': written (now or by this very write before); 'taken': another has the name; 'late': its version is
-- another.
local document = key(input.kind, input.identity)
local identities = key('identities', input.kind)
local holder = redis.call('HGET', identities, input.name)
local version = redis.call('HGET', document, 'version') or ''
if holder and holder ~= input.identity and version == input.version then return 'taken' end
local verdict = judge_write(document)
if verdict ~= 'fresh' then return verdict == 'done' and 'filed' or 'late' end
local before = redis.call('HGET', document, 'name')
if before and before ~= input.name then
  redis.call('HDEL', identities, before)
  redis.call('ZREM', key('names', input.kind), before)
end
redis.call('HSET', document, 'd', input.document, 'name', input.name)
redis.call('HSET', identities, input.name, input.identity)
redis.call('ZADD', key('names', input.kind), 0, input.name)
return 'filed'
