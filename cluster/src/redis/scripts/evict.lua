-- Makes a member whose lease is gone an orphan. KEYS: of the session. ARGV: 1 boot. The view.
if redis.call('EXISTS', KEYS[2]) == 0 and redis.call('HEXISTS', KEYS[1], 'acked:' .. ARGV[1]) == 1 then
  forget_member(ARGV[1])
  redis.call('HSET', KEYS[1], 'orphan:' .. ARGV[1], '')
  raise()
end
return redis.call('HGETALL', KEYS[1])
