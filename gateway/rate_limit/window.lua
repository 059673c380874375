-- Sliding windows of many requests in one call. Nothing of a request is counted when any of its
-- checks is refused. A window is a hash of at most 21 slots: time of the first request -> number.
-- KEYS: each check's window, followed by the key that spares it if it has one.
-- ARGV: for each request the number of its checks, then for each: most, milliseconds, 1 if spared.
-- Answers three numbers a check: refused (0, 1; -1 when spared), left, ms until the oldest ends.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers, key, arg = {}, 0, 1

local function look(check)
    local slots = redis.call('HGETALL', check.key)
    local gone = {}
    check.count, check.oldest, check.latest = 0, now, 0
    for i = 1, #slots, 2 do
        local start = tonumber(slots[i])
        if start + check.ms <= now then
            gone[#gone + 1] = slots[i]
        else
            check.count = check.count + tonumber(slots[i + 1])
            check.oldest = math.min(check.oldest, start)
            check.latest = math.max(check.latest, start)
        end
    end
    if #gone > 0 then redis.call('HDEL', check.key, unpack(gone)) end
    check.refused = check.count >= check.most
end

local function count(check)
    local slot = check.latest
    if slot + check.ms / 20 <= now then
        slot = now
        redis.call('HINCRBY', check.key, slot, 1)
        redis.call('PEXPIRE', check.key, check.ms)
    else
        redis.call('HINCRBY', check.key, slot, 1)
    end
    check.count = check.count + 1
end

while ARGV[arg] do
    local checks, refused = {}, false
    for _ = 1, tonumber(ARGV[arg]) do
        key = key + 1
        local check = {key = KEYS[key], most = tonumber(ARGV[arg + 1]), ms = tonumber(ARGV[arg + 2])}
        if ARGV[arg + 3] == '1' then
            key = key + 1
            check.spared = redis.call('EXISTS', KEYS[key]) == 1
        end
        if not check.spared then look(check) end
        refused = refused or check.refused
        checks[#checks + 1] = check
        arg = arg + 3
    end
    arg = arg + 1
    for _, check in ipairs(checks) do
        if not check.spared and not refused then count(check) end
        if check.spared then
            answers[#answers + 1], answers[#answers + 2], answers[#answers + 3] = -1, -1, 0
        else
            answers[#answers + 1] = check.refused and 1 or 0
            answers[#answers + 1] = math.max(0, check.most - check.count)
            answers[#answers + 1] = check.oldest + check.ms - now
        end
    end
end
return answers
