-- Forgets a document and its name; the document, or false.
local before = answered()
if before then return before end
local document = key(input.kind, input.identity)
local held = redis.call('HMGET', document, 'd', 'name')
if not held[1] then return false end
redis.call('DEL', document)
redis.call('HDEL', key('identities', input.kind), held[2])
redis.call('ZREM', key('names', input.kind), held[2])
return answer(held[1])
