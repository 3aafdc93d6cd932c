-- Forgets a named document; the document, or false.
local before = answered()
if before then return before end
local document = key(input.kind, input.name)
local held = redis.call('HGET', document, 'd')
if not held then return false end
redis.call('DEL', document)
redis.call('ZREM', key('names', input.kind), input.name)
return answer(held)
