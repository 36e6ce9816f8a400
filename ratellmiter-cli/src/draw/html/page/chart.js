
// The chart: rates above, the queue below

/** Distances around the plot, between a panel and its labels, and of the strip of events. */
const [MARGIN, LABEL, EVENTS, GAP] = [7, 8, 36, 24];
/** Width of a step of a long run, and smallest width of a shade. */
const [STEP, SHADE] = [5, 3];
/** Opacity of an area, and of the band from the least to the largest value. */
const [AREA, BAND] = [0.3, 0.16];

const isOfQueue = (line) => line.queue;
const isDashed = (line) => 'flu'.includes(line.letter);
const isArea = (line) => 'oe'.includes(line.letter);

/** Aligns a line of one pixel with the pixels of the screen. */
const crisp = (value) => Math.round(value) + 0.5;

/** Resizes a canvas to its place, in pixels of the screen, and returns its context. */
const prepared = (canvas) => {
  const { clientWidth: width, clientHeight: height } = by('plot');
  const ratio = window.devicePixelRatio || 1;
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  return { context, width, height };
};

const axis = (context, unit, top, height) => {
  const step = roundStep(top, Math.min(8, Math.max(2, Math.floor(height / 36))), unit === 'seconds' ? 0.01 : 1e-3);
  const decimals = Math.min(3, Math.max(0, -Math.floor(Math.log10(step))));
  const labels = ticks(0, top, step).map((value) => [value, brief(value, decimals)]);
  return { unit, top, labels, width: Math.max(...labels.map(([, text]) => context.measureText(text).width)) };
};

/** Returns a panel of some lines, without its place. */
const panel = (model, lines, isQueue, range, length) => {
  const traces = lines.map((line) => ({ line, steps: steps(model, line, range, length) }));
  const of = (unit) => traces.filter(({ line }) => line.axis === unit);
  const inside = (levels) => levels.filter(([from, to]) => from <= range[1] && to >= range[0]);
  const perUnit = (levels) => inside(levels).map(([from, to, value]) => [from, to, value * model.per]);
  const hasLevels = !isQueue && of('calls').length > 0;
  const [limit, adapted] = hasLevels ? [perUnit(model.limit), perUnit(model.adapted)] : [[], []];
  const tops = {
    calls: isQueue ? Math.max(1, largest(of('calls')) * 1.08) : ratesTop(of('calls'), limit),
    seconds: Math.max(0.01, largest(of('seconds')) * 1.05),
    tokens: Math.max(1, largest(of('tokens')) * 1.05),
  };
  const units = ['calls', 'seconds', 'tokens'].filter((unit) => of(unit).length > 0);
  const title = isQueue ? 'calls' : model.per === 1 ? 'calls per second' : 'calls per minute';
  return { traces, tops, units, title, limit, adapted, weight: isQueue ? 1 : 1.7 };
};

/** Computes the panels and their places, and the functions that map offsets and values to positions. */
const layout = (context, width, height, model) => {
  const on = model.lines.filter(isOn);
  const [from, to] = visible(model);
  const longest = stepLength(to - from + 1, Math.max(20, (width - 80) / STEP), model.per);
  const length = Math.max(longest, calmLength(model, [from, to]));
  const range = [from, to];
  const lines = [on.filter((line) => !isOfQueue(line)), on.filter(isOfQueue)];
  let panels = lines.flatMap((lines, index) => (lines.length > 0 ? [panel(model, lines, index === 1, range, length)] : []));
  if (panels.length === 0) panels = [{ ...panel(model, [], true, range, length), title: '' }];
  const [top, bottom] = [28, height - 26];
  const room = bottom - top - EVENTS - (panels.length - 1) * GAP;
  const weights = panels.reduce((sum, { weight }) => sum + weight, 0);
  let next = top;
  for (const panel of panels) {
    [panel.top, panel.bottom] = [next, next + (room * panel.weight) / weights];
    panel.axes = panel.units.map((unit) => axis(context, unit, panel.tops[unit], panel.bottom - panel.top));
    next = panel.bottom + (panel === panels[0] ? EVENTS + GAP : GAP);
  }
  const beside = (panel, isLeft) => {
    const axes = panel.axes.filter(({ unit }) => (unit === 'calls') === isLeft);
    return axes.reduce((sum, { width }) => sum + width + 2 * LABEL, 0);
  };
  const left = MARGIN + Math.max(...panels.map((panel) => beside(panel, true))) - LABEL;
  const right = width - MARGIN - Math.max(0, ...panels.map((panel) => beside(panel, false) - LABEL));
  const seconds = to - from + 1;
  const x = (offset) => left + ((offset - from + 0.5) / seconds) * (right - left);
  const inside = (place) => Math.min(right, Math.max(left, place));
  const offset = (place) => Math.min(to, Math.max(from, from + Math.floor(((place - left) / (right - left)) * seconds)));
  /** Returns the range of offsets under one pixel. */
  const under = (place) => {
    const [first, after] = [offset(place - 0.5), offset(place + 0.5)];
    return seconds > right - left ? [first, Math.max(first, after - 1)] : [offset(place), offset(place)];
  };
  /** Returns the left and right edge of a span, which extends to the middle between its seconds and the neighboring ones. */
  const columns = (first, last) => [inside(x(first - 0.5)), inside(x(last + 0.5))];
  for (const panel of panels) {
    panel.y = (unit, value) => panel.bottom - (Math.min(panel.tops[unit], Math.max(0, value)) / panel.tops[unit]) * (panel.bottom - panel.top);
  }
  return { on, panels, width, left, right, top, bottom, from, to, x, offset, under, columns };
};

/** Fills the background of spans of offsets. */
const shade = (context, place, spans, color) => {
  context.fillStyle = color;
  for (const [from, to] of spans) {
    if (Math.floor(from) > place.to || Math.ceil(to) < place.from) continue;
    const [left, right] = place.columns(from, to);
    const start = Math.min(left, place.right - SHADE);
    for (const { top, bottom } of place.panels) context.fillRect(start, top, Math.max(SHADE, right - start), bottom - top);
  }
};

/** Writes cause and length of spans where there is room: in a row, else the length alone. */
const labelSpans = (context, place, spans, color) => {
  const { top } = place.panels[place.panels.length - 1];
  [context.fillStyle, context.textBaseline, context.textAlign] = [color('--ink'), 'middle', 'center'];
  for (const [from, to, cause] of spans) {
    if (Math.floor(from) > place.to || Math.ceil(to) < place.from || cause === '') continue;
    const [left, right] = place.columns(from, to);
    const seconds = to - from + 1;
    const length = duration(seconds < 1 ? 1 : 0)(seconds);
    const fits = (text) => context.measureText(text).width + 6 <= right - left;
    const text = [`${cause} ${length}`, length].find(fits);
    if (text !== undefined) context.fillText(text, (left + right) / 2, top + 10);
  }
};

const drawValues = (context, place, panel, color) => {
  const { left, right } = place;
  [context.lineWidth, context.strokeStyle, context.fillStyle] = [1, color('--hair'), color('--soft')];
  context.textBaseline = 'middle';
  const main = panel.axes[0]?.unit === 'calls' ? panel.axes[0] : null;
  context.beginPath();
  for (const [value] of (main ?? panel.axes[0])?.labels ?? []) {
    const y = crisp(panel.y((main ?? panel.axes[0]).unit, value));
    context.moveTo(left, y);
    context.lineTo(right, y);
  }
  context.stroke();
  context.textAlign = 'right';
  main?.labels.forEach(([value, text]) => context.fillText(text, left - LABEL, panel.y('calls', value)));
  context.textAlign = 'left';
  if (main) context.fillText(panel.title, MARGIN, panel.top - 14);
  let at = right;
  for (const scale of panel.axes.filter((scale) => scale !== main)) {
    scale.labels.forEach(([value, text]) => context.fillText(text, at + LABEL, panel.y(scale.unit, value)));
    context.textAlign = 'right';
    context.fillText(scale.unit, Math.min(place.width - MARGIN, at + LABEL + scale.width), panel.top - 14);
    context.textAlign = 'left';
    at += scale.width + 2 * LABEL;
  }
};

const drawTimes = (context, place, model, color) => {
  const { left, right, from, to, bottom, width } = place;
  const text = (offset) => offsetText(offset, model.last);
  const widest = context.measureText(text(to)).width;
  const step = timeStep(Math.max(1, to - from), Math.max(1, Math.min(14, Math.floor((right - left) / (widest + 24)))));
  [context.strokeStyle, context.fillStyle] = [color('--hair'), color('--soft')];
  [context.textBaseline, context.textAlign] = ['top', 'center'];
  context.beginPath();
  for (const mark of ticks(from, to, step)) {
    const [x] = place.columns(mark, mark);
    for (const panel of place.panels) {
      context.moveTo(crisp(x), panel.top);
      context.lineTo(crisp(x), panel.bottom);
    }
    const half = context.measureText(text(mark)).width / 2;
    context.fillText(text(mark), Math.min(x, width - half), bottom + 9);
  }
  context.stroke();
};

/** Returns the corners of steps that touch, and whose values are `value`. */
const corners = (place, panel, line, run, value) =>
  run.flatMap((step) => place.columns(step.from, step.to).map((x) => [x, panel.y(line.axis, value(step))]));

/** Splits steps where they do not touch. */
const runs = (steps) =>
  steps.reduce((runs, step) => {
    const last = runs[runs.length - 1];
    if (last && last[last.length - 1].to + 1 === step.from) last.push(step);
    else runs.push([step]);
    return runs;
  }, []);

/** Draws areas and bands. The band of finished calls would cover that of issued ones. */
const drawFill = (context, place, panel, { line, steps }) => {
  const hasBand = line.letter !== 'f' || !state.on.has('i');
  context.fillStyle = line[theme()];
  for (const run of runs(steps)) {
    const fill = (low, high, opacity) => {
      const path = new Path2D();
      corners(place, panel, line, run, high).concat(corners(place, panel, line, run, low).reverse()).forEach((corner) => path.lineTo(...corner));
      context.globalAlpha = opacity;
      context.fill(path);
    };
    if (isArea(line)) fill(() => 0, ({ mean }) => mean, AREA);
    if (hasBand && run.some(({ min, max }) => max > min)) fill(({ min }) => min, ({ max }) => max, BAND);
  }
  context.globalAlpha = 1;
};

const drawLine = (context, place, panel, { line, steps }) => {
  const path = new Path2D();
  for (const run of runs(steps)) {
    corners(place, panel, line, run, ({ mean }) => mean).forEach((corner, index) => path[index === 0 ? 'moveTo' : 'lineTo'](...corner));
  }
  [context.strokeStyle, context.lineJoin, context.lineCap] = [line[theme()], 'round', 'butt'];
  // Demand and finished calls are thin, so that they do not cover the pace.
  context.lineWidth = 'rf'.includes(line.letter) ? 1.4 : 1 + line.width * 0.25;
  context.setLineDash(isDashed(line) ? [7, 4] : []);
  context.stroke(path);
  context.setLineDash([]);
};

/** Draws the configured limit as a dashed line, and the adapted one as a solid line. */
const drawLevels = (context, place, panel, color) => {
  [context.strokeStyle, context.lineWidth] = [color('--ink'), 1];
  for (const [levels, dash] of [[panel.limit, [5, 3]], [panel.adapted, []]]) {
    context.setLineDash(dash);
    context.beginPath();
    for (const [from, to, value] of levels.filter(([, , value]) => value <= panel.tops.calls)) {
      const [[left, right], y] = [place.columns(from, to), crisp(panel.y('calls', value))];
      context.moveTo(left, y);
      context.lineTo(right, y);
    }
    context.stroke();
  }
  context.setLineDash([]);
};

/** Writes a text from `left` on, on a background that covers the lines below it. */
const write = (context, text, left, y, color, paper) => {
  [context.textAlign, context.textBaseline, context.globalAlpha, context.fillStyle] = ['left', 'middle', 0.75, paper];
  context.fillRect(left - 2, y - 8, context.measureText(text).width + 4, 15);
  [context.globalAlpha, context.fillStyle] = [1, color];
  context.fillText(text, left, y);
};

/** Writes the values of the limits. */
const labelLevels = (context, place, panel, color) => {
  for (const [levels, name] of [[panel.limit, 'limit'], [panel.adapted, 'adapted']]) {
    let free = Infinity;
    for (const [from, to, value] of [...levels].reverse()) {
      const [left, right] = place.columns(from, to);
      const isInside = value <= panel.tops.calls;
      const y = panel.y('calls', value);
      const text = `${name} ${rough(value)}${isInside ? '' : ' (above)'}`;
      const width = context.measureText(text).width;
      const end = Math.min(right - 4, free);
      if (end - width > left || free === Infinity) {
        write(context, text, end - width, Math.max(panel.top + 8, y + (isInside ? -9 : 9)), color('--ink'), color('--card'));
        free = end - width - 12;
      }
    }
  }
};

/** Writes the largest values of spikes that are cut off at the upper edge. */
const drawSpikes = (context, place, panel, color) => {
  const top = panel.tops.calls;
  const spikes = panel.traces.filter(({ line }) => line.axis === 'calls').flatMap(({ line, steps }) => {
    const cut = runs(steps.filter(({ mean }) => mean > top)).map((run) => run.reduce((one, step) => (step.max > one.max ? step : one)));
    // A band that is cut off has one number.
    const band = steps.filter(({ mean, max }) => mean <= top && max > top);
    const most = band.length > 0 ? [band.reduce((one, step) => (step.max > one.max ? step : one))] : [];
    return [...cut, ...most].map((step) => ({ step, line, text: `${step.mean > top ? '' : 'up to '}${rough(step.max)} ${line.name}` }));
  });
  spikes.sort((one, other) => other.step.max - one.step.max);
  const taken = [];
  for (const { step, line, text } of spikes.slice(0, 200)) {
    const width = context.measureText(text).width;
    const [start, end] = place.columns(step.from, step.to);
    const left = end + 5 + width > place.right ? start - 5 - width : end + 5;
    if (taken.some(([from, to]) => left - 5 < to && left + width + 5 > from)) continue;
    taken.push([left, left + width]);
    write(context, text, left, panel.top + 9, line[theme()], color('--card'));
  }
};

/** Draws the shape of a kind of event. */
const drawMark = (context, kind, x, y, half) => {
  const polygon = (points) => {
    context.beginPath();
    points.forEach(([right, down]) => context.lineTo(x + right * half, y + down * half));
    context.fill();
  };
  if (kind === 0) polygon([[-1, -1], [1, -1], [0, 1]]);
  if (kind === 1) polygon([[0, -1], [1, 0], [0, 1], [-1, 0]]);
  if (kind === CLOSED) polygon([[-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8]]);
  if (kind !== REFUSED_CANARY && kind !== ACCEPTED_CANARY) return;
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x, y, half * 0.75, 0, 2 * Math.PI);
  context.stroke();
  if (kind === ACCEPTED_CANARY) context.fill();
};

/** Draws the marks below the first panel. Marks of one kind that would overlap are one mark with the number of its events. */
const drawEvents = (context, place, model, color) => {
  const y = place.panels[0].bottom;
  MARKS.forEach(({ color: name }, kind) => {
    [context.fillStyle, context.strokeStyle] = [color(name), color(name)];
    [context.textAlign, context.textBaseline] = ['left', 'middle'];
    const number = (count) => (count > 1 ? `×${whole('')(count)}` : '');
    const width = (count) => (count > 1 ? 16 + context.measureText(number(count)).width : 10);
    const marks = [];
    for (const [at, count] of model.events[kind].filter(([at]) => at >= place.from && at <= place.to)) {
      const last = marks[marks.length - 1];
      if (last && place.x(at) < last.x + width(last.count)) last.count += count;
      else marks.push({ x: place.x(at), count });
    }
    const row = y + (kind < REFUSED_CANARY ? 10 : 25);
    for (const { x, count } of marks) {
      drawMark(context, kind, x, row, 5);
      if (count > 1) context.fillText(number(count), x + 8, row);
    }
  });
};

let place = null;

const draw = () => {
  const model = current();
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  const { context, width, height } = prepared(by('chart'));
  place = layout(context, width, height, model);
  shade(context, place, model.pauses, color('--pause'));
  shade(context, place, model.closed, color('--closed'));
  place.panels.forEach((panel) => drawValues(context, place, panel, color));
  drawTimes(context, place, model, color);
  for (const panel of place.panels) {
    panel.traces.forEach((trace) => drawFill(context, place, panel, trace));
    drawLevels(context, place, panel, color);
    panel.traces.forEach((trace) => drawLine(context, place, panel, trace));
    drawSpikes(context, place, panel, color);
    labelLevels(context, place, panel, color);
  }
  drawEvents(context, place, model, color);
  labelSpans(context, place, [...model.pauses, ...model.closed], color);
  for (const button of by('legend').children) {
    const line = model.lines.find(({ letter }) => letter === button.dataset.letter);
    button.setAttribute('aria-pressed', String(isOn(line)));
    button.title = line.name;
    button.firstChild.textContent = line.name;
    button.style.setProperty('--line', line[theme()]);
  }
  drawCross();
};
