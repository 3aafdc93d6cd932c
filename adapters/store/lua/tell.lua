-- Appends happenings that belong to no other change; once, however often it is sent.
if redis.call('SET', key('told-once', input.nonce), 1, 'NX', 'EX', 600) then tell(input.happenings) end
return 1
