-- The document of a limiter: a packed field of the hash KEYS[1], which also contains the last reply to each process and its name.
-- Times are in microseconds since `zero`, the server's clock when the document was created. Processes report durations only.

Document.FORMAT = 5
local RETENTION_SECONDS = 90000 -- 25 hours.

local function new(wall)
    return {
        format = Document.FORMAT, zero = string.format('%.0f', wall), now = 0, members = {}, departed = {},
        next_slot = 0, flows = {}, turns = {}, adapted = {}, throughput = {}, carried = { at = 0, level = 0 },
        pause = Pause.new(),
    }
end

-- Returns the document, the last reply of the process, and the server's clock.
function Document.open(id)
    local clock = redis.call('TIME')
    local wall = clock[1] * 1e6 + clock[2]
    local fields = redis.call('HMGET', KEYS[1], 'doc', id)
    return fields[1] and cmsgpack.unpack(fields[1]) or new(wall), fields[2], wall
end

function Document.save(doc)
    redis.call('HSET', KEYS[1], 'doc', cmsgpack.pack(doc))
    redis.call('EXPIRE', KEYS[1], RETENTION_SECONDS)
end
