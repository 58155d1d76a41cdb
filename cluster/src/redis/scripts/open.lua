-- Lets keyed calls run, if Redis is still of this incarnation. KEYS: 1 view. ARGV: 1 incarnation. The view.
local there = redis.call('HMGET', KEYS[1], 'incarnation', 'open')
if there[1] == ARGV[1] and there[2] ~= '1' and incarnation() == ARGV[1] then
  redis.call('HSET', KEYS[1], 'open', '1', 'opened', raise())
end
return redis.call('HGETALL', KEYS[1])
