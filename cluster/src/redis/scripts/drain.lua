-- Owns nothing any more. KEYS: 1 view. ARGV: 1 boot. The view.
if redis.call('HEXISTS', KEYS[1], 'acked:' .. ARGV[1]) == 1
  and redis.call('HEXISTS', KEYS[1], 'draining:' .. ARGV[1]) == 0 then
  redis.call('HSET', KEYS[1], 'draining:' .. ARGV[1], '')
  raise()
end
return redis.call('HGETALL', KEYS[1])
