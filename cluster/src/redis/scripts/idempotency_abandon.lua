-- Forgets a begun run that certainly did not start. KEYS: 1 record. ARGV: 1 boot, 2 call, 3 attempt.
local there = redis.call('HMGET', KEYS[1], 'state', 'boot', 'call', 'attempt')
if there[1] == 'running' and there[2] == ARGV[1] and there[3] == ARGV[2] and there[4] == ARGV[3] then
  redis.call('DEL', KEYS[1])
end
return 1
