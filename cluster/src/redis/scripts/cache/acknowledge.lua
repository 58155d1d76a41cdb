-- Raises up to where a reader has applied everything, if it is registered. {'superseded'} or {'acknowledged', watermark}.
-- ARGV: 7 process, 8 sequence.
local tail, applied = tail_of_epoch(), tonumber(ARGV[8])
if not tail or applied > tail then
  return {'superseded'}
end
local before = watermark(tail)
redis.call('ZADD', KEYS[3], 'XX', 'GT', applied, ARGV[7])
local now = watermark(tail)
tell_watermark(before, now)
return {'acknowledged', now}
