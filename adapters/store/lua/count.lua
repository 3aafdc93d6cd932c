-- Adds to the numbers of the metrics; once for each mark.
if not redis.call('SET', key('metrics', 'mark', input.mark), 1, 'NX', 'EX', input.seconds) then return 1 end
for _, field in ipairs(input.fields) do redis.call('HINCRBYFLOAT', key('metrics'), field[1], field[2]) end
return 1
