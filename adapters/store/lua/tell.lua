-- Appends happenings that belong to no other change; once, however often it is sent.
if answered() then return 1 end
tell(input.happenings)
return answer(1)
