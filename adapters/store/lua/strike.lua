-- Forgets a document and its name; the document, or false. What was removed is remembered for a minute for the one who
-- asked.
local removed = key('removed', input.nonce)
local before = redis.call('GET', removed)
if before then return before end
local document = key(input.kind, input.identity)
local held = redis.call('HMGET', document, 'd', 'name')
if not held[1] then return false end
redis.call('SET', removed, held[1], 'EX', 60)
redis.call('DEL', document)
redis.call('HDEL', key('identities', input.kind), held[2])
redis.call('ZREM', key('names', input.kind), held[2])
return held[1]
