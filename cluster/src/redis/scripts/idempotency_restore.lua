-- Puts back what a node knows of a key: done wins, and running replaces only a record of the same call.
-- KEYS: 1 record. ARGV: 1 TTL in ms, 2 state, 3 call, then fields and values of the record.
local there = redis.call('HMGET', KEYS[1], 'state', 'call')
local state, call = there[1], there[2]
local restore
if not state then
  restore = true
elseif state == 'done' then
  restore = false
elseif ARGV[2] == 'done' then
  restore = true
else
  restore = ARGV[2] == 'running' and call == ARGV[3]
end
if restore then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'state', ARGV[2], 'call', ARGV[3], unpack(ARGV, 4))
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return 1
