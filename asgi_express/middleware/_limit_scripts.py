"""The algorithms of ``_limits`` once more, as scripts that Redis runs in one step. Times are in microseconds."""

from __future__ import annotations

__all__ = ["GIVE_BACK", "TAKE"]

TAKE = """
local now, lease = tonumber(ARGV[1]), ARGV[2]
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
local GRAIN, SLOTS, BUSY = 0.000001, 32, 1000000
local rules = {}

local function keep(key, value, ttl)
  redis.call('SET', key, value, 'PX', string.format('%.0f', math.max(1, math.ceil(ttl / 1000))))
end

-- Each returns: allowed, remaining, more, full, retry, stamp, and what writes the new state.

function rules.token_bucket(key, capacity, interval, window, cost)
  local level = 0
  local kept = redis.call('GET', key)
  if kept then
    local was, at = string.match(kept, '^(%S+) (%S+)$')
    level = math.max(0, was - math.max(0, now - at) / interval)
  end
  local retry, allowed = 0, level + cost <= capacity + GRAIN
  if allowed then
    level = level + cost
  elseif cost > capacity then
    retry = window
  else
    retry = (level + cost - capacity) * interval
  end
  local room = capacity - level
  local remaining = math.max(0, math.floor(room + GRAIN))
  local full = level * interval
  return allowed, remaining, math.min(level, remaining + 1 - room) * interval, full, retry, now, function()
    keep(key, string.format('%.17g %.17g', level, now), full)
  end
end

function rules.fixed_window(key, capacity, _, window, cost)
  local start, used = now, 0
  local kept = redis.call('GET', key)
  if kept then
    local began, count = string.match(kept, '^(%S+) (%S+)$')
    began = tonumber(began)
    if now >= began and now - began < window then
      start, used = began, tonumber(count)
    end
  end
  local left = start + window - now
  local retry, allowed = 0, used + cost <= capacity
  if allowed then
    used = used + cost
  else
    retry = cost > capacity and window or left
  end
  local back = used > 0 and left or 0
  return allowed, capacity - used, back, back, retry, start, function()
    keep(key, string.format('%.17g %d', start, used), left)
  end
end

function rules.sliding_window(key, capacity, step, window, cost)
  local slot = math.floor(now / step)
  local slots, counts, used = {}, {}, 0
  for at, count in string.gmatch(redis.call('GET', key) or '', '(%S+):(%S+)') do
    if tonumber(at) >= slot - SLOTS then
      slots[#slots + 1], counts[#counts + 1] = tonumber(at), tonumber(count)
      used = used + count
    end
  end
  local function leaves(at) return (at + SLOTS + 1) * step - now end
  local retry, allowed = 0, used + cost <= capacity
  if not allowed then
    local excess = used + cost - capacity
    retry = window
    for i = 1, #slots do
      excess = excess - counts[i]
      if excess <= 0 then
        retry = leaves(slots[i])
        break
      end
    end
  elseif cost > 0 then
    used = used + cost
    if #slots > 0 and slots[#slots] >= slot then
      slot = slots[#slots]
      counts[#slots] = counts[#slots] + cost
    else
      slots[#slots + 1], counts[#counts + 1] = slot, cost
    end
  end
  local more, full = 0, 0
  if #slots > 0 then
    more, full = leaves(slots[1]), leaves(slots[#slots])
  end
  return allowed, capacity - used, more, full, retry, slot, function()
    local pairs_ = {}
    for i = 1, #slots do
      pairs_[i] = string.format('%.0f:%d', slots[i], counts[i])
    end
    keep(key, table.concat(pairs_, ' '), full)
  end
end

function rules.concurrency(key, capacity, _, window, cost)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now))
  local used = redis.call('ZCARD', key)
  local allowed = used + cost <= capacity
  if allowed then
    used = used + cost
  end
  local busy = used < capacity and 0 or BUSY
  return allowed, capacity - used, busy, busy, allowed and 0 or BUSY, 0, function()
    redis.call('ZADD', key, string.format('%.0f', now + window), lease)
    redis.call('PEXPIRE', key, string.format('%.0f', math.ceil(window / 1000)))
  end
end

local function ask(i, cost)
  local base = 3 + (i - 1) * 5
  local rule = rules[ARGV[base]]
  cost = cost or tonumber(ARGV[base + 4])
  return cost, {rule(KEYS[i], tonumber(ARGV[base + 1]), tonumber(ARGV[base + 2]), tonumber(ARGV[base + 3]), cost)}
end

local found, fits = {}, true
for i = 1, #KEYS do
  local cost, decision = ask(i)
  fits = fits and decision[1]
  found[i] = {cost, decision}
end
local replies = {}
for i = 1, #KEYS do
  local cost, decision = found[i][1], found[i][2]
  if fits and cost > 0 then
    decision[7]()
  elseif not fits and decision[1] then
    cost, decision = ask(i, 0)
  end
  replies[i] = {decision[1] and 1 or 0, decision[2]}
  for j = 3, 5 do
    replies[i][j] = math.ceil(decision[j])
  end
  replies[i][6] = string.format('%.17g', decision[6])
end
return replies
"""

GIVE_BACK = """
local rules = {}

local function keep(key, value)
  local ttl = redis.call('PTTL', key)
  if value and ttl > 0 then
    redis.call('SET', key, value, 'PX', ttl)
  else
    redis.call('DEL', key)
  end
end

function rules.token_bucket(key, stamp, cost, _, interval)
  local level, at = string.match(redis.call('GET', key) or '', '^(%S+) (%S+)$')
  if level then
    level = level - math.max(0, cost - math.max(0, at - stamp) / interval)
    keep(key, level > 0.000001 and string.format('%.17g %s', level, at))
  end
end

function rules.fixed_window(key, stamp, cost)
  local start, used = string.match(redis.call('GET', key) or '', '^(%S+) (%S+)$')
  if start and tonumber(start) == stamp then
    keep(key, used - cost > 0 and string.format('%s %d', start, used - cost))
  end
end

function rules.sliding_window(key, stamp, cost)
  local kept, left = redis.call('GET', key), {}
  for at, count in string.gmatch(kept or '', '(%S+):(%S+)') do
    if tonumber(at) == stamp then
      count = count - cost
    end
    if tonumber(count) > 0 then
      left[#left + 1] = string.format('%s:%d', at, count)
    end
  end
  if kept then
    keep(key, #left > 0 and table.concat(left, ' '))
  end
end

function rules.concurrency(key, _, _, lease)
  redis.call('ZREM', key, lease)
end

for i = 1, #KEYS do
  local base = (i - 1) * 5
  local stamp, cost, interval = tonumber(ARGV[base + 2]), tonumber(ARGV[base + 3]), tonumber(ARGV[base + 5])
  rules[ARGV[base + 1]](KEYS[i], stamp, cost, ARGV[base + 4], interval)
end
return 1
"""
