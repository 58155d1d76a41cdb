-- Waits no more for a reader that was given no number since, and appends what it declared, which stays until it is asked
-- once more. {'superseded'} or {'reaped', whether}. ARGV: 7 process, 8 the number that it had been given last.
local tail, process = tail_of_epoch(), ARGV[7]
if not tail then
  return {'superseded'}
end
local granted, declared = redis.call('HGET', KEYS[4], process), redis.call('HGET', KEYS[5], process)
local number = granted or reaped(process) or 0
if not granted and not declared or tonumber(number) ~= tonumber(ARGV[8]) then
  return {'reaped', 0}
end
local before = watermark(tail)
-- One byte is the format, with no marks.
if declared and #declared > 1 and not reaped(process) then
  if tail >= SEQUENCE_MAX then
    return {'superseded'}
  end
  tail = append(tail, declared)
  unregister(process)
  redis.call('HSET', KEYS[1], 'reaped:' .. process, ARGV[2] .. '-' .. next_number())
else
  forget(process)
end
tell_watermark(before, watermark(tail))
return {'reaped', 1}
