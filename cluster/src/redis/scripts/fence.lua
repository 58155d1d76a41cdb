-- Ends a session whose lease still has this counter. KEYS: of the session. ARGV: 1 counter, 2 TTL of keys in ms.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
freeze(KEYS, ARGV[2])
return 1
