-- Appends an entry, and raises up to where its publisher has applied everything, if that is registered: with the entry, if
-- nothing is missing before it. {'superseded'} or {'published', its sequence, whether others are registered, what follows
-- or false}.
-- ARGV: 7 process, 8 sequence up to where it applied everything, 9 marks, packed.
local there, process, after = epoch_there(), ARGV[7], tonumber(ARGV[8])
local tail = tail_of(there)
if not tail or after > tail or tail >= SEQUENCE_MAX then
  return {'superseded'}
end
local others = there.readers - (redis.call('ZSCORE', KEYS[3], process) and 1 or 0)
local sequence = append(tail, ARGV[9])
acknowledge(process, after == tail and sequence or after, sequence)
return {'published', sequence, others > 0 and 1 or 0, following(after, sequence)}
