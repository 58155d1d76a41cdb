-- Says up to which version a member applies the view. KEYS: 1 view. ARGV: 1 boot, 2 version, 3 busy slots.
local acked = redis.call('HGET', KEYS[1], 'acked:' .. ARGV[1])
if acked and tonumber(ARGV[2]) >= tonumber(acked) then
  redis.call('HSET', KEYS[1], 'acked:' .. ARGV[1], ARGV[2], 'busy:' .. ARGV[1], ARGV[3])
end
return 1
