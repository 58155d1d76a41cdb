-- Raises up to where a reader has applied everything, if it is registered. {'superseded'} or {'acknowledged', watermark}.
-- Of whatever memory the epoch is: a memory that came back has entries with all who were registered before them, or has
-- neither, and what was applied stays applied.
-- ARGV: 7 process, 8 sequence.
local tail, applied = tail_of(epoch_kept()), tonumber(ARGV[8])
if not tail or applied > tail then
  return {'superseded'}
end
return {'acknowledged', acknowledge(ARGV[7], applied, tail)}
