-- Grants a lease and registers in the same step. {'superseded'} or {'renewed', tail, watermark, what follows or false}.
-- ARGV: 7 process, 8 sequence up to where it applied everything, 9 what is stale if it dies, packed.
local tail, process, after = tail_of_epoch(), ARGV[7], tonumber(ARGV[8])
if not tail or after > tail then
  return {'superseded'}
end
local before = watermark(tail)
redis.call('HDEL', KEYS[1], 'reaped:' .. process)
redis.call('HSET', KEYS[4], process, next_number())
redis.call('HINCRBY', KEYS[1], 'readers', redis.call('ZADD', KEYS[3], 'GT', after, process))
redis.call('HSETNX', KEYS[5], process, ARGV[9])
keep(ARGV[3])
local now = watermark(tail)
tell_watermark(before, now)
return {'renewed', tail, now, following(after, tail)}
