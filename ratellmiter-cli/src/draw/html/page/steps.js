
// Steps and scales, as in the pictures

/** Lengths of steps in seconds. Beyond the last, they are multiples of it. */
const LENGTHS = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400];

/** Returns the smallest round length, a multiple of `per`, that divides `seconds` into at most `steps` steps. */
const stepLength = (seconds, steps, per) => {
  const least = seconds / Math.max(1, steps);
  const days = Math.ceil(least / 86400) * 86400;
  return LENGTHS.find((length) => length >= least && length % per === 0) ?? days;
};

/** Number of calls in a step on average, as far as there are at least `MIN_STEPS` steps. */
const [CALLS_PER_STEP, MIN_STEPS] = [20, 60];

/** Returns the shortest length of steps with enough calls in each, as far as there are enough steps. */
const calmLength = (model, [from, to]) => {
  const { mean } = model.lines.find(({ letter }) => letter === 'i');
  const seconds = to - from + 1;
  let calls = 0;
  for (let cell = cellAt(model, from); cell < model.cells && model.starts[cell] <= to; cell += 1) {
    calls += (mean[cell] ?? 0) * (Math.min(to, endOf(model, cell)) - Math.max(from, model.starts[cell]) + 1);
  }
  const lengths = LENGTHS.filter((length) => length * MIN_STEPS <= seconds);
  return lengths.find((length) => length * calls >= CALLS_PER_STEP * seconds) ?? lengths[lengths.length - 1] ?? 1;
};

/** Averages pieces in the order of time over steps of `length` seconds. */
const binned = (pieces, length) => {
  const steps = [];
  for (const { from, to, min, mean, max } of pieces) {
    let at = from;
    while (at <= to) {
      const start = at - (at % length);
      const end = Math.min(to, start + length - 1);
      const seconds = end - at + 1;
      const last = steps[steps.length - 1];
      if (last?.start === start) {
        [last.min, last.max, last.to] = [Math.min(last.min, min), Math.max(last.max, max), end];
        last.mean += ((mean - last.mean) * seconds) / (last.known + seconds);
        last.known += seconds;
      } else {
        steps.push({ start, from: at, to: end, min, mean, max, known: seconds });
      }
      // Beyond 2^53 the next step may be the same.
      if (start + length <= at) break;
      at = start + length;
    }
  }
  return steps;
};

/** Number of units up to which counts are summed by the unit, and not averaged. */
const MAX_UNITS = 1e5;

/** Scales the sum of a unit of `per` seconds. The last unit is shorter. */
const perUnit = (per) => (step) => {
  const value = (step.mean * step.known * per) / Math.max(step.to - step.from + 1, per / 2);
  return { ...step, min: value, mean: value, max: value };
};
const scaled = (per) => (step) => ({ ...step, min: step.min * per, mean: step.mean * per, max: step.max * per });

/** Returns the steps of a line in a range of offsets. Between steps that do not touch, the value is unknown. */
const steps = (model, line, [from, to], length) => {
  const [first, end] = [from - (from % length), Math.min(model.last, to - (to % length) + length - 1)];
  let pieces = [];
  for (let cell = cellAt(model, first); cell < model.cells && model.starts[cell] <= end; cell += 1) {
    if (line.mean[cell] === null) continue;
    const [from, to] = [Math.max(first, model.starts[cell]), Math.min(end, endOf(model, cell))];
    pieces.push({ from, to, min: line.min[cell], mean: line.mean[cell], max: line.max[cell] });
  }
  const isSummed = 'rief'.includes(line.letter) && (end - first) / model.per <= MAX_UNITS;
  if (model.per > 1 && isSummed) pieces = binned(pieces, model.per).map(perUnit(model.per));
  else if (model.per > 1 && 'riefa'.includes(line.letter)) pieces = pieces.map(scaled(model.per));
  const found = binned(pieces, length);
  if (length > 1) {
    for (const step of found) [step.from, step.to] = [step.start, Math.min(model.last, step.start + length - 1)];
  }
  // Refusals are bars, and seconds without any are empty.
  return line.letter === 'e' ? found.filter(({ max }) => max > 0) : found;
};

/** Returns the value that a trace does not exceed for nine tenths of its time. */
const usual = ({ steps }) => {
  const values = steps.map(({ mean, from, to }) => [mean, to - from + 1]).sort(([one], [other]) => one - other);
  let left = (values.reduce((sum, [, seconds]) => sum + seconds, 0) * 9) / 10;
  return (values.find(([, seconds]) => (left -= seconds) < 0) ?? [0])[0];
};

const largest = (traces) => traces.reduce((most, { steps }) => steps.reduce((most, { max }) => Math.max(most, max), most), 0);

/** Returns the value at the upper edge of the rates. It follows the limit, and a spike does not set it. */
const ratesTop = (traces, limits) => {
  const most = largest(traces);
  const usually = traces.reduce((most, trace) => Math.max(most, usual(trace)), 0);
  const limit = limits.reduce((most, [, , value]) => Math.max(most, value), 0);
  if (limit <= 0) return (most <= 4 * usually ? most : usually * 1.5) * 1.1 || most * 1.1 || 1;
  if (most * 10 < limit) return most > 0 ? most * 1.25 : limit * 1.25;
  // Values that are not far above the limit are inside.
  const near = traces.flatMap(({ steps }) => steps.map(({ max }) => (max <= limit * 2.2 ? max : 0)));
  const inside = near.reduce((one, other) => Math.max(one, other), 0) * 1.08;
  return Math.max(Math.min(usually * 1.15, limit * 4), inside, limit * 1.25);
};
