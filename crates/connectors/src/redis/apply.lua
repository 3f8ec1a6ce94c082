-- Applies commands of an epoch, of one slot, that have not been applied, and moves the fence past them.
-- KEYS[1]: the fence, "EPOCH COUNT": so many commands of that epoch, and all of those before it, are
-- applied; then the keys that the commands touch.
-- ARGV: the epoch, how many commands of it stand before these, whether those that are refused are left
-- out ('skip'), then each command as the number of its arguments and they. SETNEWEST is `newest.lua`:
-- key, document, milliseconds, fields.
-- Answers what was wrong with commands that were left out; or with the first that was refused, before
-- which the fence then stands.
local epoch, first = tonumber(ARGV[1]), tonumber(ARGV[2])
local applied = 0
local fence = redis.call('GET', KEYS[1])
if fence then
    local at, count = string.match(fence, '^(%d+) (%d+)$')
    if tonumber(at) > epoch then return {} end
    if tonumber(at) == epoch then applied = tonumber(count) end
end
if first > applied then
    return redis.error_reply('TRYAGAIN commands before these are not applied')
end
-- What would refuse any of them (a replica, no memory) refuses this, before one is applied.
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. applied)

local function newest(key, document, millis, fields)
    local there = redis.call('GET', key)
    if there then
        local read, old = pcall(cjson.decode, there)
        if read and type(old) == 'table' then
            local new = cjson.decode(document)
            for _, field in ipairs(fields) do
                local ours, theirs = tonumber(new[field]), tonumber(old[field])
                if ours and theirs then
                    if ours < theirs then return end
                    if ours > theirs then break end
                end
            end
        end
    end
    if millis == '0' then
        return redis.pcall('SET', key, document)
    end
    return redis.pcall('SET', key, document, 'PX', millis)
end

-- First words of what is not the row's fault: nothing further is applied, and the fence stays.
local others = {
    BUSY = true, CLUSTERDOWN = true, LOADING = true, MASTERDOWN = true, MISCONF = true, NOAUTH = true,
    NOPERM = true, NOREPLICAS = true, OOM = true, READONLY = true, TRYAGAIN = true,
}
local function run(command)
    if command[1] == 'SETNEWEST' then
        local fields = {}
        for i = 5, #command do fields[#fields + 1] = command[i] end
        return newest(command[2], command[3], command[4], fields)
    end
    return redis.pcall(unpack(command))
end

local wrong = {}
local at, done = 4, first
while at <= #ARGV do
    local count = tonumber(ARGV[at])
    if done >= applied then
        local command = {}
        for i = at + 1, at + count do command[#command + 1] = ARGV[i] end
        local ran, reply = pcall(run, command)
        local err
        if not ran then
            err = type(reply) == 'table' and reply.err or tostring(reply)
        elseif type(reply) == 'table' then
            err = reply.err
        end
        if err then
            local word = string.match(err, '^%-?(%u+)') or ''
            if others[word] then
                redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. done)
                return redis.error_reply(err)
            end
            if ARGV[3] ~= 'skip' then
                redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. done)
                return redis.error_reply('REFUSED ' .. err)
            end
            wrong[#wrong + 1] = err
        end
    end
    done = done + 1
    at = at + count + 1
end
if done > applied then
    redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. done)
end
return wrong
