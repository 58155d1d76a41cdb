-- Appends an entry. {'superseded'} or {'published', its sequence, whether others are registered, what follows or false}.
-- ARGV: 7 process, 8 sequence up to where it applied everything, 9 marks, packed.
local tail, after = tail_of_epoch(), tonumber(ARGV[8])
if not tail or after > tail or tail >= SEQUENCE_MAX then
  return {'superseded'}
end
local others = redis.call('ZCARD', KEYS[3])
if redis.call('ZSCORE', KEYS[3], ARGV[7]) then
  others = others - 1
end
local sequence = append(tail, ARGV[9])
return {'published', sequence, others > 0 and 1 or 0, following(after, sequence)}
