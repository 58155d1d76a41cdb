-- Goes on being a member. KEYS: of the session. ARGV: 1 TTL of keys in ms.
-- {'fenced'} or {'renewed', counter, incarnation, time, claimed entries}.
if redis.call('EXISTS', KEYS[2]) == 0 then
  return {'fenced'}
end
local claimed = 0
if redis.call('EXISTS', KEYS[3]) == 1 then
  claimed = redis.call('XPENDING', KEYS[3], 'g')[1]
end
local counter = redis.call('INCR', KEYS[2])
for key = 2, 5 do
  redis.call('PEXPIRE', KEYS[key], ARGV[1])
end
return {'renewed', counter, incarnation(), now(), claimed}
