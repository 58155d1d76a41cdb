-- Begins the one run of an idempotency key. KEYS: 1 record.
-- ARGV: 1 digest, 2 boot, 3 call, 4 attempt, 5 '1' to run it after an unknown outcome, 6 TTL in ms.
-- {'run'}, {'conflict'} or {'taken', state, boot, call, attempt, outcome}.
local there = redis.call('HMGET', KEYS[1], 'state', 'digest', 'boot', 'call', 'attempt')
local state, digest, boot, call, attempt = there[1], there[2], there[3], there[4], there[5]

local function run()
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'state', 'running', 'digest', ARGV[1], 'boot', ARGV[2], 'call', ARGV[3], 'attempt', ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
  return {'run'}
end

if not state then
  return run()
end
if state == 'running' and call == ARGV[3] then
  if boot == ARGV[2] and attempt == ARGV[4] then
    return {'run'}
  end
  -- There is a later attempt only when the earlier ones certainly do not start any more.
  if tonumber(ARGV[4]) > tonumber(attempt) then
    return run()
  end
end
if digest ~= ARGV[1] then
  return {'conflict'}
end
if state == 'unknown' and ARGV[5] == '1' then
  return run()
end
return {'taken', state, boot, call, attempt, redis.call('HGET', KEYS[1], 'outcome')}
