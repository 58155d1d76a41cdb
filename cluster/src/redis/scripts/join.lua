-- Becomes a member. KEYS: of the session.
-- ARGV: 1 boot, 2 TTL of keys in ms, 3 incarnation that the connection learned, 4 build, 5 lined actions, 6 keys, 7 busy slots.
-- {'stale'}, {'fenced'}, {'disagree', key ids…} or {'joined', time, view}.
local boot, ttl_ms, ours = ARGV[1], ARGV[2], ARGV[3]
if ours ~= incarnation() then
  return {'stale'}
end
if redis.call('EXISTS', KEYS[2]) == 0 then
  return {'fenced'}
end

if redis.call('HGET', KEYS[1], 'incarnation') ~= ours then
  -- Redis lost its memory, or part of it: nobody who was a member still is one. The names of the members' keys are
  -- derived, as nobody outside knows who they are; they carry the same hash tag.
  local prefix = string.sub(KEYS[1], 1, -5)
  local view = redis.call('HGETALL', KEYS[1])
  for field = 1, #view, 2 do
    local member = string.match(view[field], '^acked:(.+)$')
    if member then
      local keys = {}
      for place, name in ipairs({'view', 'lease:', 'in:', 're:', 'cur:', 'orph:', 'ore:', 'ocur:'}) do
        keys[place] = prefix .. name .. member
      end
      freeze(keys, ttl_ms)
      forget_member(member)
      redis.call('HSET', KEYS[1], 'orphan:' .. member, '')
    end
  end
  redis.call('HSET', KEYS[1], 'incarnation', ours, 'open', '0')
  if redis.call('HEXISTS', KEYS[1], 'opened') == 0 then
    redis.call('HSET', KEYS[1], 'opened', '0')
  end
  raise()
end

local fingerprints = {}
for id, fingerprint in string.gmatch(ARGV[6], '(%d+)=(%x+)') do
  fingerprints[id] = fingerprint
end
local view, disagree = redis.call('HGETALL', KEYS[1]), {}
for field = 1, #view, 2 do
  if string.match(view[field], '^keys:') then
    for id, fingerprint in string.gmatch(view[field + 1], '(%d+)=(%x+)') do
      if fingerprints[id] and fingerprints[id] ~= fingerprint then
        fingerprints[id] = nil
        table.insert(disagree, tonumber(id))
      end
    end
  end
end
if #disagree > 0 then
  table.sort(disagree)
  return {'disagree', unpack(disagree)}
end

if redis.call('HEXISTS', KEYS[1], 'acked:' .. boot) == 0 then
  redis.call('HSET', KEYS[1], 'acked:' .. boot, raise(), 'build:' .. boot, ARGV[4], 'lined:' .. boot, ARGV[5],
    'keys:' .. boot, ARGV[6], 'busy:' .. boot, ARGV[7])
end
return {'joined', now(), redis.call('HGETALL', KEYS[1])}
