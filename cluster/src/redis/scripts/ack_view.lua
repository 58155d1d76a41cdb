-- Says up to which version a member applies the view. KEYS: 1 view. ARGV: 1 boot, 2 version, 3 busy slots, 4 number.
-- What was said before and comes later counts for nothing.
local said = tonumber(redis.call('HGET', KEYS[1], 'said:' .. ARGV[1]) or '0')
if redis.call('HEXISTS', KEYS[1], 'acked:' .. ARGV[1]) == 1 and tonumber(ARGV[4]) > said then
  redis.call('HSET', KEYS[1], 'acked:' .. ARGV[1], ARGV[2], 'busy:' .. ARGV[1], ARGV[3], 'said:' .. ARGV[1], ARGV[4])
end
return 1
