-- A run that is under way by the record, and whose session is gone: its outcome is unknown.
-- KEYS: 1 record, 2 lease. ARGV: 1 boot, 2 call, 3 attempt.
local there = redis.call('HMGET', KEYS[1], 'state', 'boot', 'call', 'attempt')
if there[1] == 'running' and there[2] == ARGV[1] and there[3] == ARGV[2] and there[4] == ARGV[3]
  and redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('HSET', KEYS[1], 'state', 'unknown')
  redis.call('HDEL', KEYS[1], 'attempt')
end
return 1
