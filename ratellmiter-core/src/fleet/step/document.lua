-- One step of one process: what it tells is counted, and it gets what it may do until it asks again.
--
-- KEYS[1] is a limiter: a hash of one packed document, and of what only one process has need of, its last answer and its name.
-- ARGV[1] is the report of one process. Times are microseconds since `zero`, the server's clock when the document was made; no
-- clock of a process plays a part, only spans of time that it measured.

local SHORTEST, LONGEST = 250000, 1e6 -- How often a busy process asks, which is less often
local MANY = 64            -- where they are more than so many.
local WATCH, PART = 10000, 100 -- So often, or after a part of a call, those look, taken together, who wait for a place that any may leave.
local UNSEEN = 1500000     -- Whether the server is out of reach is seen within so long.
local PATIENCE = 3000000   -- One that is not heard of for so long is gone.
local SPARE = 0.005        -- Of the rate: what may go too early because it travels.
local KEPT = 90000         -- Seconds for which nobody need ask before all is forgotten: a day, and an hour.
local HANDOVER = 1e6       -- Who waits for a place is passed for so long: handing one over takes time.
local MINUTE = 60e6
local ANY = 1e9            -- Where nobody limits the calls in flight.
local SLACK = 250000       -- So much unused time of a budget may be made up for.
local CREDIT = 6           -- What calls did not use after all is kept, up to this part of a minute's budget.
local TOLD = 24            -- What a process took it tells in so many parts at most, of the time since the first that counts.
local PARTS = 96           -- When something counts no longer is told apart by so many parts of the time for which it does.
local GRACE = 1300000      -- In which all who have a part of a document that was lost have told.
local FULL = 1000          -- The whole rate, for the ramp.

local report = cjson.decode(ARGV[1])
-- They are read only where much is taken.
for _, space in pairs(report.spaces) do space.parts = space.parts and cmsgpack.pack(space.parts) end
local clock = redis.call('TIME')
local wall = clock[1] * 1e6 + clock[2]
local kept = redis.call('HMGET', KEYS[1], 'doc', report.id)
local doc = kept[1] and cmsgpack.unpack(kept[1])
if doc and doc.format ~= 2 then
    return redis.error_reply('ERR ' .. KEYS[1] .. ' was written by another version of ratellmiter')
end
if not doc then
    doc = {
        format = 2, zero = string.format('%.0f', wall), now = 0, tat = 0, flows = {}, turns = {}, members = {}, ghosts = {}, learned = {},
        through = {}, rate = 0, came = { at = 0, level = 0 },
        episode = 0, phase = 'flowing', own = 2e6, first = true, slowest = 0, unexplained = false,
        ramp = { level = FULL, second = -4e6, allowed = 0, used = 0, carry = 0, steep = false },
    }
end
-- A clock that was set back stands still until it has caught up.
local now = math.max(wall - tonumber(doc.zero), doc.now)
local passed = now - doc.now
doc.now = now

local members = doc.members
local crew = 0
for _ in pairs(members) do crew = crew + 1 end
local PERIOD = math.min(math.max(SHORTEST * crew / MANY, SHORTEST), LONGEST)
local MEMORY = 2 * PERIOD  -- For so long one who asked late is owed its part.
local me = members[report.id]
if me and me.epoch ~= doc.zero then me = nil end
-- The answer to this step was lost on its way.
if me and me.step == report.step then return kept[2] end
-- Who went on alone meanwhile is new, too: what it took then is no debt to any pace.
local is_new = not me or report.anew or report.epoch ~= doc.zero
if report.epoch and report.epoch ~= doc.zero then doc.grace = GRACE end
