-- Keeps the outcome of a run, unless the key is another call's. KEYS: 1 record. ARGV: 1 digest, 2 call, 3 outcome, 4 TTL in ms.
local call = redis.call('HGET', KEYS[1], 'call')
if not call or call == ARGV[2] then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'state', 'done', 'digest', ARGV[1], 'call', ARGV[2], 'outcome', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 1
