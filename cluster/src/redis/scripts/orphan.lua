-- What a fenced session left. KEYS: of the session. ARGV: 1 boot, 2 TTL of keys in ms.
-- Empty where nothing is left, else {claimed, undelivered, replies}, each {entry, frame, entry, frame, …}.
if redis.call('HEXISTS', KEYS[1], 'orphan:' .. ARGV[1]) == 0 then
  return {}
end
-- A roll-back may have brought back the names from before.
freeze(KEYS, ARGV[2])

local claimed, undelivered, replies = {}, {}, {}
if redis.call('EXISTS', KEYS[6]) == 1 then
  local group = redis.call('XINFO', 'GROUPS', KEYS[6])[1]
  local delivered
  for field = 1, #group, 2 do
    if group[field] == 'last-delivered-id' then
      delivered = group[field + 1]
    end
  end
  local pending = {}
  local count = redis.call('XPENDING', KEYS[6], 'g')[1]
  if count > 0 then
    for _, entry in ipairs(redis.call('XPENDING', KEYS[6], 'g', '-', '+', count)) do
      pending[entry[1]] = true
    end
  end
  for _, entry in ipairs(redis.call('XRANGE', KEYS[6], '-', delivered)) do
    if pending[entry[1]] then
      table.insert(claimed, entry[1])
      table.insert(claimed, entry[2][2])
    end
  end
  for _, entry in ipairs(redis.call('XRANGE', KEYS[6], '(' .. delivered, '+')) do
    table.insert(undelivered, entry[1])
    table.insert(undelivered, entry[2][2])
  end
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[7], '-', '+')) do
  table.insert(replies, entry[1])
  table.insert(replies, entry[2][2])
end
return {claimed, undelivered, replies}
