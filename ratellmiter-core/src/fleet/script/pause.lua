-- Pauses, canaries, and the adaptation of limits after a refusal, as in `congestion/local.rs` and `congestion/backoff.rs`.

function Pause.new()
    return {
        phase = 'flowing', episode = 0, next_pause = C.FIRST_PAUSE, is_first = true, slowest_refusal = 0, series = { since = 0, episodes = 0, accepted = 0, resumed_at = 0 },
        cause = 'open', tests_again_at = 0,
    }
end

-- Returns the identity of a call of this process, or nil if the call is unknown.
local function identity(s, call) return call and s.id .. ':' .. string.format('%.0f', call) end

-- Drops the canary of a process that will not report its outcome. The next call is sent at once as a new canary.
function Pause.drop_canary(pause, id, now)
    if pause.phase == 'canary' and pause.canary.id == id then
        pause.phase, pause.ends_at, pause.canary = 'paused', now, nil
    end
end

-- Restores the rest of a pause, reported by a process with a lease from a lost document.
function Pause.carry(pause, rest, now)
    if rest > 0 and pause.phase == 'flowing' then
        pause.phase, pause.ends_at, pause.episode = 'paused', now + rest, pause.episode + 1
    end
end

-- Starts a pause that ends with the next call, which is the canary, when the fleet opens.
function Pause.reopen(pause, now)
    pause.phase, pause.ends_at, pause.canary, pause.cause, pause.suspect = 'paused', now, nil, 'limit', nil
    pause.next_pause, pause.is_first = C.FIRST_PAUSE, true
    pause.first, pause.before, pause.concerns_rate, pause.wrong_hints, pause.started_at = nil, nil, false, 0, 0
    pause.is_tested = false
end

-- Ends the pause. If a single call was responsible for it, the limits are as before, and the ramp is not lower.
local function resume(s, at, sent)
    local pause = s.doc.pause
    local canary = pause.canary and pause.canary.call
    local before = pause.cause == 'suspected' and canary and canary ~= pause.suspect and pause.before
    local adapts = s.report.adapts and pause.concerns_rate and (pause.wrong_hints or 0) >= C.MIN_WRONG_HINTS
        and at >= pause.started_at + C.MIN_LONG_EPISODE
    local through = Throughput.with_pauses(s.doc.throughput, at)
    pause.concerns_rate, pause.wrong_hints, pause.series.resumed_at = false, 0, at
    if before then pause.responsible = pause.suspect end
    pause.cause, pause.suspect, pause.before, pause.first = 'open', nil, nil, nil
    pause.phase, pause.canary, pause.ends_at = 'flowing', nil, nil
    pause.next_pause, pause.is_first = C.FIRST_PAUSE, true
    s.doc.throughput = {}
    s.is_backlogged = true
    Ramp.resume(s.doc.ramp, s.shape, math.max(sent, at - C.SECOND))
    if before then
        s.doc.adapted, pause.ignored_at = before.adapted, before.ignored_at
        if before.ramp.level > s.doc.ramp.level then
            s.doc.ramp = before.ramp
            s.doc.ramp.second = s.doc.ramp.second + at - before.at
        end
    elseif adapts then
        local current = math.min(Ramp.rate(s.doc.ramp, s.shape, at), s.rate())
        s.doc.adapted[C.REQUESTS] =
            Adaptive.on_refusal(s.doc.adapted[C.REQUESTS], math.min(through or current, current), s.report.rate, 1)
    end
end

-- Keeps the state before an episode, which the refusal of `call` starts.
local function start_episode(s, call)
    local doc, pause, adapted = s.doc, s.doc.pause, {}
    for key, known in pairs(doc.adapted) do adapted[key] = known end
    local ramp = {}
    for key, value in pairs(doc.ramp) do ramp[key] = value end
    pause.first, pause.cause, pause.suspect, pause.is_tested = call, 'open', nil, false
    pause.before = { at = s.now, adapted = adapted, ramp = ramp, ignored_at = pause.ignored_at }
    pause.started_at, pause.concerns_rate, pause.wrong_hints = s.now, false, 0
    local series = pause.series
    if series.episodes == 0 or s.now > series.resumed_at + C.SERIES_GAP then
        series.since, series.episodes, series.accepted = s.now, 0, 0
    end
    series.episodes = series.episodes + 1
end

-- Decides whether another call is sent as the canary at once: the refused canary `call` is the only call that was refused in this
-- episode, or single calls were responsible for refusals before, or tests are left.
local function suspects(s, call, tests)
    local pause = s.doc.pause
    local is_only_call = pause.cause == 'open' and call and pause.first == call
    if tests == 0 and is_only_call and s.now >= pause.tests_again_at then
        pause.cause, pause.suspect, pause.tests_left = 'suspected', call, 1
        return true
    end
    if tests and tests > 0 and pause.cause ~= 'suspected' and call and not pause.is_tested then
        pause.cause, pause.suspect, pause.tests_left, pause.is_tested = 'suspected', call, tests, true
        return true
    end
    if tests and pause.cause == 'suspected' and pause.suspect ~= call then
        pause.tests_left = pause.tests_left - 1
        if pause.tests_left > 0 then return true end
        pause.tests_again_at = s.now + C.FAILED_TEST_MEMORY
    end
    pause.cause, pause.suspect = 'limit', nil
    return false
end

local function start(s, hint, is_new)
    local pause, now = s.doc.pause, s.now
    if hint and hint > C.MAX_HINT then hint = nil end
    if is_new then
        if pause.phase == 'flowing' then pause.episode = pause.episode + 1 end
        local time = hint or pause.next_pause
        -- After a hint that was too short, the next pause is at least the backoff.
        if hint and not pause.is_first then time = math.max(hint, pause.next_pause) end
        if not pause.is_first or not hint then
            local is_wrong = hint and pause.next_pause > 2 * C.FIRST_PAUSE
            pause.next_pause = math.min(pause.next_pause * (is_wrong and C.WRONG_HINT_FACTOR or C.PAUSE_FACTOR), C.MAX_PAUSE)
        end
        local jitter = math.min(math.max(time / C.JITTER_DIVISOR, C.MIN_JITTER), C.MAX_JITTER)
        pause.phase, pause.is_first, pause.canary = 'paused', false, nil
        pause.ends_at = now + time + s.report.jitter * jitter
    elseif pause.phase == 'paused' then
        pause.ends_at = math.max(pause.ends_at, now + (hint or 0))
    end
end

-- Returns the usage of a budget by all processes, and the age of its oldest entry.
local function usage(s, key, taken)
    local space, since, sum = s.report.capacity[key], s.now, taken + Members.used_by_others(s, key)
    local function add(other, seen)
        since = math.min(since, seen - (#cmsgpack.unpack(other.parts) - 1) * other.grain)
    end
    add(space, s.now)
    for other, member in Members.others(s, 'capacity', key) do
        if other.taken > 0 then add(other, member.seen) end
    end
    for _, departed in pairs(s.doc.departed) do
        for at in pairs(departed[key] or {}) do since = math.min(since, tonumber(at) - space.window) end
    end
    return sum, s.now - since
end

-- Adapts the limit that has caused the first refusal of an episode.
local function adapt(s, refusal)
    local doc, report = s.doc, s.report
    if not report.adapts or not refusal.teaches then return end
    if refusal.teaches == C.IN_FLIGHT then
        local configured = report.capacity[C.IN_FLIGHT].limit
        local in_flight = Members.used_by_others(s, C.IN_FLIGHT) + refusal.in_flight
        doc.adapted[C.IN_FLIGHT] = Adaptive.on_refusal(doc.adapted[C.IN_FLIGHT], in_flight, configured, 1)
        return
    end
    local fullest, fraction = nil, -1
    for key, taken in pairs(refusal.budgets) do
        local part = usage(s, key, taken) / report.capacity[key].limit
        if part > fraction then fullest, fraction = key, part end
    end
    if fullest then
        local sum, span = usage(s, fullest, refusal.budgets[fullest])
        local configured, known = report.capacity[fullest].limit, doc.adapted[fullest]
        local through = sum * C.MINUTE / math.max(span, C.MIN_USAGE_SPAN)
        through = math.min(through, math.floor(Adaptive.allowed(known, configured)))
        doc.adapted[fullest] = Adaptive.on_refusal(known, through, configured, Adaptive.floor(fullest, configured))
        return
    end
    local current = math.min(Ramp.rate(doc.ramp, s.shape, s.now), s.rate())
    local through, pause, known = Throughput.rate(doc.throughput, s.now), doc.pause, doc.adapted[C.REQUESTS]
    pause.concerns_rate = true
    -- A refusal is ignored once if the throughput is no measure of the limit.
    local is_adapted = Adaptive.allowed(known, report.rate) < report.rate
    local is_known = through and (is_adapted or through >= current * C.MIN_USED_SHARE)
    if not is_known and (not pause.ignored_at or pause.ignored_at + C.IGNORED_AGAIN_AFTER <= s.now) then
        pause.ignored_at = s.now
        return
    end
    if not through then
        local series = pause.series
        local steps = C.SERIES_GROWTH ^ (series.episodes - 1)
        local accepted = series.accepted * C.MINUTE / math.max(s.now - series.since, C.SECOND)
        through = math.max(current * C.DECREASE_FACTOR ^ (steps - 1), accepted)
    end
    doc.adapted[C.REQUESTS] = Adaptive.on_refusal(known, math.min(through, current), report.rate, 1)
end

function Pause.on_refusal(s, refusal)
    local pause = s.doc.pause
    pause.slowest_refusal = math.max(pause.slowest_refusal, refusal.after)
    -- A refusal of an unknown call is not one of a call that was counted.
    if refusal.call or refusal.is_alone then
        Throughput.remove(s.doc.throughput, s.now - refusal.after)
        pause.series.accepted = math.max(pause.series.accepted - 1, 0)
    end
    if refusal.is_alone then return end
    local is_canary = refusal.is_canary and pause.phase == 'canary' and pause.canary.id == s.id
    local is_first = pause.phase == 'flowing' and (not refusal.episode or refusal.episode == pause.episode)
    local call = identity(s, refusal.call)
    if is_first then start_episode(s, call) end
    if is_first then
        -- The provider has no capacity left, so the saved burst is dropped.
        s.doc.next_slot = math.max(s.doc.next_slot, s.now + s.tolerance())
        if not refusal.is_canary then adapt(s, refusal) end
    end
    if is_canary and refusal.hint and refusal.hint <= C.MAX_HINT then pause.wrong_hints = (pause.wrong_hints or 0) + 1 end
    if is_canary and suspects(s, call, refusal.tests) then
        local hint = refusal.hint and refusal.hint <= C.MAX_HINT and refusal.hint or 0
        pause.phase, pause.ends_at, pause.canary = 'paused', s.now + hint, nil
        return
    end
    if pause.phase ~= 'flowing' and not is_canary then pause.cause, pause.suspect = 'limit', nil end
    local is_start = pause.phase == 'flowing'
    start(s, refusal.hint, is_canary or is_first)
    if pause.phase == 'paused' and is_start and (refusal.tests or 0) > 0 and not (refusal.hint and refusal.hint <= C.MAX_HINT) then
        pause.ends_at = math.min(pause.ends_at, s.now + C.TEST_PAUSE)
    end
end

-- Applies the reported outcome of the canary, and accepts a canary that was in flight beyond its timeout.
function Pause.settle_canary(s)
    local pause, now = s.doc.pause, s.now
    local canary = pause.phase == 'canary' and pause.canary
    if canary and canary.id == s.id then
        canary.call = identity(s, s.report.canary_call) or canary.call
        if s.report.canary == 'accepted' then
            resume(s, now, canary.sent)
        elseif s.report.canary == 'kept' then
            canary.accepted_at = canary.accepted_at + s.passed
        elseif s.report.canary == 'lost' or s.is_new then
            Pause.drop_canary(pause, s.id, now)
        end
    end
    if pause.phase == 'canary' and canary.accepted_at <= now then resume(s, canary.accepted_at, canary.sent) end
end

-- Sends the canary of this process.
function Pause.send_canary(s)
    local pause = s.doc.pause
    local timeout = C.FIRST_CANARY_TIMEOUT
    if pause.slowest_refusal > 0 then
        timeout = math.min(math.max(pause.slowest_refusal * C.CANARY_FACTOR, C.MIN_CANARY_TIMEOUT), C.MAX_CANARY_TIMEOUT)
    end
    pause.phase, pause.ends_at = 'canary', nil
    pause.canary = { id = s.id, sent = s.now, accepted_at = s.now + timeout + s.report.lag }
end

-- Returns the rest of the pause, including the time in which the canary is in flight; nil while calls flow.
function Pause.remaining(pause, now)
    local ends_at = pause.ends_at or pause.canary and pause.canary.accepted_at
    return ends_at and math.max(ends_at - now, 0)
end
