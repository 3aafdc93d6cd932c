-- Forgets a named document; the document, or false. What was removed is remembered for a minute for the one who asked.
local removed = key('removed', input.nonce)
local before = redis.call('GET', removed)
if before then return before end
local document = key(input.kind, input.name)
local held = redis.call('HGET', document, 'd')
if not held then return false end
redis.call('SET', removed, held, 'EX', 60)
redis.call('DEL', document)
redis.call('ZREM', key('names', input.kind), input.name)
return held
