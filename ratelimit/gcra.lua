-- GCRA, the generic cell rate algorithm (ITU-T I.371), in one atomic step.
-- The key holds the theoretical arrival time: when the bucket would be empty.
-- ARGV: microseconds that one unit takes, units that fit into the bucket, cost.
-- All times are Redis's own, in whole microseconds, exact in a double until 2255.
local interval = tonumber(ARGV[1])
local tolerance = interval * tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local arrival = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
local later = arrival + interval * tonumber(ARGV[3])
local wait = later - tolerance - now
if wait > 0 then
  return {0, arrival - now, wait}
end
if later > now then
  redis.call('SET', KEYS[1], string.format('%.0f', later), 'PX', math.ceil((later - now) / 1000))
end
return {1, later - now, 0}
