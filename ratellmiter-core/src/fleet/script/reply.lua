-- The lease in the reply.

function Reply.of(s, run)
    local doc, report, pause = s.doc, s.report, s.doc.pause
    local calls = report.capacity[C.IN_FLIGHT]
    local reply = {
        epoch = doc.zero, episode = pause.episode, period = s.period, processes = s.count, poll_in = run.poll_in,
        slot_runs = #run.spans > 0 and run.spans or nil, is_canary = run.is_canary, paused = Pause.remaining(pause, s.now),
        overshoot_of_day = s.overshoot_of_day, used_by_others = s.used_by_others, free_in = s.free_in,
        typical_cost = doc.typical_cost, rates = s.rates, shares = s.shares, bottleneck = run.bottleneck,
        share = 0.9 * (s.wanted > 0 and (s.me.queued + s.me.arriving) / s.wanted or 1 / s.count) + 0.1 / s.count,
        pace = s.rate(), rate = pause.phase == 'flowing' and math.min(Ramp.rate(doc.ramp, s.shape, s.now), s.rate()) or 0,
        is_ramping = doc.ramp.level < C.RAMP_FULL, is_capacity_limited = calls.limit < C.UNLIMITED,
        is_capacity_plentiful = calls.is_plentiful or false, ceilings = {}, adapted = {},
    }
    reply.closed, reply.accepted = Closed.reply(s), Closed.accepted(s)
    reply.results = Members.results_of_others(s)
    local process, call = string.match(pause.responsible or '', '^(.*):(%d+)$')
    if process == s.id then reply.responsible, pause.responsible = tonumber(call), nil end
    for key, known in pairs(doc.adapted) do
        local configured = s.configured(key)
        local allowed = configured and Adaptive.allowed(known, configured)
        if allowed and allowed < configured then reply.ceilings[key], reply.adapted[key] = known.ceiling, allowed end
    end
    reply.capacity = Capacity.settle(s, report.held_slots + run.given + (run.is_canary and 1 or 0))
    return reply
end
