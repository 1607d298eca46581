"""What is done to a stream in one step, in Redis."""

__all__ = ["ADD", "BURY", "LEAVE"]

ADD = """
-- KEYS: the stream. ARGV: how many entries it may have, the message.
-- What all groups have done with is cleared away only when it is full: then all of that at once.
local function after(id)
  local ms, seq = string.match(id, '(%d+)-(%d+)')
  return ms .. '-' .. string.format('%.0f', tonumber(seq) + 1)
end
local function below(a, b)
  local am, as = string.match(a, '(%d+)-(%d+)')
  local bm, bs = string.match(b, '(%d+)-(%d+)')
  if am ~= bm then return tonumber(am) < tonumber(bm) end
  return tonumber(as) < tonumber(bs)
end
local stream, most = KEYS[1], tonumber(ARGV[1])
if redis.call('XLEN', stream) >= most then
  local lowest, slowest
  for _, fields in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local group = {}
    for i = 1, #fields, 2 do group[fields[i]] = fields[i + 1] end
    local pending = redis.call('XPENDING', stream, group['name'])
    local needed = pending[1] > 0 and pending[2] or after(group['last-delivered-id'])
    if not lowest or below(needed, lowest) then lowest, slowest = needed, group['name'] end
  end
  if lowest then redis.call('XTRIM', stream, 'MINID', lowest) end
  if redis.call('XLEN', stream) >= most then return {'full', slowest or ''} end
end
return {'added', redis.call('XADD', stream, '*', 'message', ARGV[2])}
"""

BURY = """
-- KEYS: the stream, that of the dead. ARGV: how many dead are kept, the group, the id, the message, the error.
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[1], '*', 'group', ARGV[2], 'id', ARGV[3], 'message', ARGV[4],
  'error', ARGV[5])
return redis.call('XACK', KEYS[1], ARGV[2], ARGV[3])
"""

LEAVE = """
-- KEYS: the stream. ARGV: the group, who leaves, after how many milliseconds of silence another counts as gone.
-- A consumer that still has something to do stays: removing it would lose that.
for _, fields in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local one = {}
  for i = 1, #fields, 2 do one[fields[i]] = fields[i + 1] end
  if one['pending'] == 0 and (one['name'] == ARGV[2] or one['idle'] > tonumber(ARGV[3])) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], one['name'])
  end
end
"""
