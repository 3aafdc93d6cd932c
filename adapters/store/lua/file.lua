-- Keeps a document under its identity, and its name, if its version is the expected one ('' for none yet) and no other has
-- the name. 'filed': written (now or by this very write before); 'taken': another has the name; 'late': its version is
-- another.
local before = answered()
if before then return before end
local document = key(input.kind, input.identity)
local identities = key('identities', input.kind)
if version_of(document) ~= input.version then return 'late' end
local holder = redis.call('HGET', identities, input.name)
if holder and holder ~= input.identity then return 'taken' end

local name_before = redis.call('HGET', document, 'name')
if name_before and name_before ~= input.name then
  redis.call('HDEL', identities, name_before)
  redis.call('ZREM', key('names', input.kind), name_before)
end
redis.call('HSET', document, 'd', input.document, 'version', input.nonce, 'name', input.name)
redis.call('HSET', identities, input.name, input.identity)
redis.call('ZADD', key('names', input.kind), 0, input.name)
return answer('filed')
