-- Who is registered or declared something. {'superseded'} or {'registered', process, number, process, number, …}.
if not tail_of_epoch() then
  return {'superseded'}
end
local all, grants = {'registered'}, redis.call('HGETALL', KEYS[4])
local known = {}
for place = 1, #grants, 2 do
  known[grants[place]] = true
  table.insert(all, grants[place])
  table.insert(all, grants[place + 1])
end
for _, process in ipairs(redis.call('HKEYS', KEYS[5])) do
  if not known[process] then
    table.insert(all, process)
    table.insert(all, reaped(process) or '0')
  end
end
return all
