-- Forgets a reader that goes in order. {'superseded'} or {'left'}. ARGV: 7 process.
local tail = tail_of_epoch()
if not tail then
  return {'superseded'}
end
local before = watermark(tail)
forget(ARGV[7])
tell_watermark(before, watermark(tail))
return {'left'}
