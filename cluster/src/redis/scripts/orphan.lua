-- A piece of what a fenced session left. KEYS: of the session.
-- ARGV: 1 boot, 2 TTL of keys in ms, 3 after which request entry, 4 after which reply entry, 5 how many frames of each.
-- Empty where nothing is left, else {claimed, undelivered, replies}, each {entry, frame, entry, frame, …}.
if redis.call('HEXISTS', KEYS[1], 'orphan:' .. ARGV[1]) == 0 then
  return {}
end
-- A roll-back may have brought back the names from before.
freeze(KEYS, ARGV[2])

local function is_after(entry, other)
  local ms, number = string.match(entry, '(%d+)-(%d+)')
  local other_ms, other_number = string.match(other, '(%d+)-(%d+)')
  if ms == other_ms then
    return tonumber(number) > tonumber(other_number)
  end
  return tonumber(ms) > tonumber(other_ms)
end

local max = tonumber(ARGV[5])
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
  -- Entries that were settled and not yet deleted are passed over.
  local taken, after = 0, ARGV[3]
  while taken < max do
    local entries = redis.call('XRANGE', KEYS[6], '(' .. after, '+', 'COUNT', max - taken)
    if #entries == 0 then
      break
    end
    for _, entry in ipairs(entries) do
      after = entry[1]
      local list = pending[after] and claimed or is_after(after, delivered) and undelivered
      if list then
        table.insert(list, after)
        table.insert(list, entry[2][2])
        taken = taken + 1
      end
    end
  end
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[7], '(' .. ARGV[4], '+', 'COUNT', max)) do
  table.insert(replies, entry[1])
  table.insert(replies, entry[2][2])
end
return {claimed, undelivered, replies}
