-- Finds the epoch, or begins one. {epoch, when it began, sequence of its last entry}.
-- ARGV: 1 the newest epoch that the caller knows, 2 and 3 epoch and sequence of the newest position that it saw, 4 and 5 the
-- epoch that it was in and when that began, 6 TTL of keys in ms.
local known, seen_epoch, seen_sequence = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
known = math.max(known, seen_epoch)
local there = epoch_there()

local function is_whole()
  local epoch = tonumber(there.number)
  if not epoch or not there.began or not there.tail or there.tail >= SEQUENCE_MAX then
    return false
  end
  if epoch < known or epoch == seen_epoch and there.tail < seen_sequence then
    return false
  end
  -- Numbers come from a clock that counts every ten seconds: two that began apart may have the same.
  if there.number == ARGV[4] and there.began ~= ARGV[5] then
    return false
  end
  local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  return there.tail == 0 or last and last[1] == there.number .. '-' .. there.tail
end

if not there or not is_whole() then
  local time = redis.call('TIME')
  local last = tonumber(redis.call('HGET', KEYS[1], 'epoch') or 0) or 0
  -- Seconds since 2020.
  local clock = math.floor((time[1] - 1577836800) / 10)
  local number = math.max(known + 1, last + 1, clock)
  if number >= 2 ^ 28 then
    return redis.error_reply('ERR no epoch is left')
  end
  there = {number = tostring(number), began = time[1] .. string.format('%06d', time[2]), tail = 0}
  redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
  redis.call('HSET', KEYS[1], 'epoch', there.number, 'began', there.began, 'memory', incarnation(), 'sequence', 0,
    'readers', 0, 'numbers', 0)
end
keep(ARGV[6])
return {there.number, there.began, there.tail}
