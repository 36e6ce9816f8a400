'use strict';

/** Order of the buttons. Lines are drawn in the order of the data. */
const BUTTONS = 'riefonawltub';
/** Number of models above which there is a list instead of tabs. */
const TABS = 8;
const UNKNOWN = '–';

const data = JSON.parse(document.getElementById('data').textContent);
const by = (id) => document.getElementById(id);

const make = (tag, properties = {}, children = []) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

// Numbers and times

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** Abbreviates numbers from `from` on; below, writes at most `decimals` decimals. */
const brief = (value, decimals, from = 1e6) => {
  if (value === null) return UNKNOWN;
  for (const [unit, letter] of [[1e18, 'E'], [1e15, 'P'], [1e12, 'T'], [1e9, 'G'], [1e6, 'M']]) {
    if (value >= unit && value >= from) return `${Math.round((value / unit) * 100) / 100}${letter}`;
  }
  return new Intl.NumberFormat('en-US', { maximumFractionDigits: decimals }).format(value);
};

const exact = (value) => brief(value, value !== null && value < 1 ? 4 : 3, 1e9);
/** Writes a number in about three digits, so that two fit side by side. */
const rough = (value) => brief(value, [1, 10, 100].filter((size) => value < size).length);
const span = (min, max) => (min === max ? exact(min) : `${rough(min)}–${rough(max)}`);
const range = ([from, to]) => (from === to ? grouped.format(from) : `${grouped.format(from)}–${grouped.format(to)}`);
const fixed = (decimals, unit) => (value) => {
  if (value === null || value >= 1e6) return whole(unit)(value);
  const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return `${value.toLocaleString('en-US', digits)}${unit}`;
};
const whole = (unit) => (value) => (value === null ? UNKNOWN : `${brief(value, 0, 1e8)}${unit}`);

const percent = (share) => whole(' %')(share === null ? null : share * 100);

/** Date and time in UTC; the plain number for times outside the range of Date. */
const clock = (second) => {
  const date = new Date(second * 1000);
  return Number.isNaN(date.getTime()) ? [String(second)] : date.toISOString().replace(/\.\d+Z$/, '').split('T');
};
const utc = (second) => `${clock(second).join(' ')} UTC`;
const utcSpan = (from, to) => {
  if (from === to) return utc(from);
  const [one, other] = [clock(from), clock(to)];
  return `${one.join(' ')} – ${one[0] === other[0] && other[1] ? other[1] : other.join(' ')} UTC`;
};

/** Returns the smallest of 1, 2, 5, 10, 20, ... of at least `minStep` that divides `length` into at most `maxSteps` steps. */
const roundStep = (length, maxSteps, minStep) => {
  const raw = Math.max(length / maxSteps, minStep);
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * ([1, 2, 5].find((factor) => power * factor >= raw * (1 - 1e-9)) ?? 10);
};

const ticks = (to, step) => Array.from({ length: Math.floor(to / step + 1e-9) + 1 }, (_, index) => index * step);

// The log

const spread = (column, length) => (Array.isArray(column) ? column : new Array(length).fill(column));

/** Returns a model with one value per cell in each column. */
const unpacked = (model) => {
  const seconds = spread(model.seconds, model.cells);
  let next = 0;
  const starts = seconds.map((length) => (next += length) - length);
  const lines = data.lines.map((line, index) => {
    const [first, min = first, max = first, last = first] = model.heights[index].map((column) => spread(column, model.cells));
    return { ...line, name: model.names?.[line.letter] ?? line.name, first, min, max, last };
  });
  return { ...model, seconds, starts, lines };
};

/** Returns the cell that contains an offset. */
const cellAt = ({ starts }, offset) => {
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (starts[middle] <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
};

const higher = (one, other) => (one === null || (other !== null && other > one) ? other : one);
const peak = (line) => line.max.reduce(higher, null);
const largest = (lines) => lines.reduce((max, line) => Math.max(max, peak(line) ?? 0), 0);

const endOf = (model, cell) => model.starts[cell] + model.seconds[cell] - 1;

/** Extends a range of offsets to the ends of its cells, if the log was thinned. */
const wholeCells = (model, [from, to]) =>
  model.stretch === 1 ? [from, to] : [model.starts[cellAt(model, from)], endOf(model, cellAt(model, to))];

/** Returns the smallest and largest value of a line in a range of offsets; null if unknown. */
const heights = (model, line, [from, to]) => {
  const cells = [cellAt(model, from), cellAt(model, to) + 1];
  const known = (column) => column.slice(...cells).filter((height) => height !== null);
  const [minima, maxima] = [known(line.min), known(line.max)];
  return minima.length > 0 ? [Math.min(...minima), Math.max(...maxima)] : [null, null];
};

const isIn = (spans, [from, to]) => spans.some(([first, last]) => first <= to && last >= from);
/** Returns the states of the limiter in a range of offsets, after a comma; nothing if it was open. */
const states = (model, at) => (isIn(model.closed, at) ? ', closed' : '') + (isIn(model.pauses, at) ? ', paused' : '');

// State

const models = data.models.map((model) => ({ model, columns: null }));
const state = {
  shown: data.shown,
  on: new Set(data.on),
  /** First and last offset under the pointer; null without a pointer. */
  at: null,
};

const current = () => {
  const shown = models[state.shown];
  shown.columns ??= unpacked(shown.model);
  return shown.columns;
};
const theme = () => document.documentElement.dataset.theme;
const isOn = (line) => state.on.has(line.letter);

const FIGURES = [
  ['calls', 'calls', whole('')],
  ['finished', 'finished', whole('')],
  ['failed', 'failed', whole('')],
  ['given up', 'given_up', whole('')],
  ['turned away', 'rejected', whole('')],
  ['waiting at the end', 'waiting', whole('')],
  ['in flight at the end', 'in_flight', whole('')],
  ['requested before the log', 'earlier', whole('')],
  ['refusals', 'refusals', whole('')],
  ['overloads', 'overloaded', whole('')],
  ['refusals per call', 'refusals_per_call', (value) => (value > 0 && value < 0.0005 ? '<0.001' : fixed(3, '')(value))],
  ['pauses', 'pauses', whole('')],
  ['paused in total', 'paused', whole(' s')],
  ['mean wait', 'wait_mean', fixed(1, ' s')],
  ['p99 wait', 'wait_p99', fixed(1, ' s')],
  ['p99 latency', 'call_p99', fixed(1, ' s')],
  ['duration', 'duration', whole(' s')],
  ['minimum duration', 'physical', fixed(1, ' s')],
  ['in flight, mean', 'in_flight_mean', fixed(1, '')],
  ['in flight, max', 'in_flight_most', whole('')],
  ['tokens reserved', 'reserved_tokens', whole('')],
  ['tokens used', 'used_tokens', whole('')],
  ['reserved per call', 'reserved_per_call', whole('')],
  ['used per call', 'used_per_call', whole('')],
  ['fullest budget, mean', 'budget_mean', percent],
  ['fullest budget, peak', 'budget_peak', percent],
];

const showModel = () => {
  const { summary, start, pauses, closed } = current();
  by('name').textContent = named(current());
  by('started').textContent = `from ${utc(start)}`;
  by('verdict').textContent = summary.verdict;
  by('figures').replaceChildren(
    // Figures of tokens and budgets are missing in logs without them.
    ...FIGURES.filter(([, key]) => summary[key] !== undefined).map(([title, key, format]) => {
      const value = summary[key];
      const exactValue = value === null ? 'not in this log' : String(value);
      // A value that the log bounds alone is an upper bound, with a lower one.
      const least = summary[`${key}_least`];
      const from = least === undefined ? '' : `${fixed(1, '')(least)}–`;
      const figure = make('dd', { textContent: from + format(value), title: exactValue });
      figure.dataset.figure = key;
      return make('div', {}, [make('dt', { textContent: title }), figure]);
    }),
  );
  by('shade').hidden = pauses.length === 0;
  by('closed').hidden = closed.length === 0;
  by('axis').textContent = `seconds since ${utc(start)}`;
};

const choose = (index) => {
  state.shown = index;
  state.at = null;
  document.querySelectorAll('[role=tab]').forEach((tab, place) => {
    tab.setAttribute('aria-selected', String(place === index));
    tab.tabIndex = place === index ? 0 : -1;
  });
  showModel();
  draw();
};

const named = ({ name }) => name || '(no name)';

const makeTabs = () => {
  const tabs = data.models.map((model, index) => {
    const tab = make('button', { type: 'button', textContent: named(model), title: model.name, dir: 'auto' });
    tab.onclick = () => choose(index);
    tab.setAttribute('role', 'tab');
    tab.setAttribute('aria-controls', 'model');
    return tab;
  });
  const list = make('div', {}, tabs);
  list.setAttribute('role', 'tablist');
  list.setAttribute('aria-label', 'Models');
  list.onkeydown = (event) => {
    const to = { ArrowLeft: state.shown - 1, ArrowRight: state.shown + 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const index = (to + tabs.length) % tabs.length;
    choose(index);
    tabs[index].focus();
  };
  return list;
};

const makeSelect = () => {
  const options = data.models.map((model, index) => make('option', { textContent: named(model), value: String(index) }));
  const select = make('select', { onchange: () => choose(Number(select.value)) }, options);
  select.value = String(state.shown);
  select.setAttribute('aria-label', 'Model');
  return select;
};

const makeLegend = () => {
  const lines = [...data.lines].sort((one, other) => BUTTONS.indexOf(one.letter) - BUTTONS.indexOf(other.letter));
  // One row, or two of equal length.
  by('legend').style.setProperty('--columns', String(lines.length > 9 ? lines.length / 2 : lines.length));
  by('legend').append(
    ...lines.map((line) => {
      const value = make('output');
      value.setAttribute('aria-hidden', 'true');
      const button = make('button', { type: 'button', title: line.name }, [make('b', { textContent: line.name }), value]);
      button.dataset.letter = line.letter;
      button.onclick = () => {
        if (!state.on.delete(line.letter)) state.on.add(line.letter);
        draw();
      };
      return button;
    }),
  );
};

// Drawing

/** Distances around the frame, and between the frame and its labels. */
const [MARGIN, LABEL] = [7, 8];

/** Length of a line that is drawn as a dot. A line of length zero is not drawn. */
const DOT = 0.01;

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

const axis = (context, unit, lines, height) => {
  const max = largest(lines) || 1;
  const step = roundStep(max, Math.min(8, Math.max(2, Math.floor(height / 36))), 1e-3);
  const top = step * Math.ceil((max * 1.02) / step);
  const decimals = Math.min(3, Math.max(0, -Math.floor(Math.log10(step))));
  const labels = ticks(top, step).map((value) => [value, brief(value, decimals)]);
  const widths = [unit, ...labels.map(([, text]) => text)].map((text) => context.measureText(text).width);
  return { unit, top, labels, width: Math.max(...widths) };
};

/** Computes the frame, and the functions that map offsets and values to positions. */
const layout = (context, width, height, model) => {
  const on = model.lines.filter(isOn);
  const [frameTop, frameBottom] = [28, height - 26];
  const scale = (unit) => {
    const lines = on.filter((line) => line.axis === unit);
    return lines.length > 0 ? axis(context, unit, lines, frameBottom - frameTop) : null;
  };
  const [calls, seconds, tokens] = ['calls', 'seconds', 'tokens'].map(scale);
  const beside = (axis) => (axis ? axis.width + LABEL : 0);
  const right = width - MARGIN - beside(seconds) - beside(tokens) - (seconds && tokens ? LABEL : 0);
  const left = MARGIN + beside(calls);
  /** Axes on the right, from the frame outwards. */
  const beyond = [];
  if (seconds) beyond.push({ ...seconds, at: right });
  if (tokens) beyond.push({ ...tokens, at: right + (seconds ? beside(seconds) + LABEL : 0) });
  const last = Math.max(model.length - 1, 0);
  const inset = 6;
  const x = (offset) => (last === 0 ? (left + right) / 2 : left + inset + (offset / last) * (right - left - 2 * inset));
  const offset = (place) => Math.min(last, Math.max(0, Math.round(((place - left - inset) / (right - left - 2 * inset)) * last)));
  /** Returns the range of offsets under one pixel. */
  const under = (place) => {
    const [from, to] = [offset(place - 0.5), offset(place + 0.5)];
    return last > right - left ? [from, Math.max(from, to - 1)] : [offset(place), offset(place)];
  };
  const y = (line, value) => frameBottom - (Math.max(0, value) / { calls, seconds, tokens }[line.axis].top) * (frameBottom - frameTop);
  return { on, calls, beyond, width, left, right, top: frameTop, bottom: frameBottom, last, x, y, under };
};

/** Fills the background of spans of offsets. */
const shade = (context, place, model, spans, color) => {
  const half = model.length > 1 ? (place.x(1) - place.x(0)) / 2 : 8;
  context.fillStyle = color;
  for (const [from, to] of spans) {
    const left = Math.max(place.left, place.x(from) - half);
    const right = Math.min(place.right, place.x(to) + half);
    context.fillRect(left, place.top, Math.max(1, right - left), place.bottom - place.top);
  }
};

const drawAxes = (context, place, color) => {
  const { calls, beyond, width, left, right, top, bottom } = place;
  const main = calls ?? beyond[0];
  const height = (scale, value) => bottom - (value / scale.top) * (bottom - top);
  context.lineWidth = 1;
  context.strokeStyle = color('--hair');
  context.beginPath();
  for (const [value] of main?.labels ?? []) {
    context.moveTo(left, crisp(height(main, value)));
    context.lineTo(right, crisp(height(main, value)));
  }
  for (const scale of beyond) {
    if (scale.at > right) {
      context.moveTo(crisp(scale.at), top);
      context.lineTo(crisp(scale.at), bottom);
    }
    for (const [value] of scale.labels) {
      context.moveTo(scale.at, crisp(height(scale, value)));
      context.lineTo(scale.at + 4, crisp(height(scale, value)));
    }
  }
  const widest = context.measureText(brief(place.last, 0, 1e9)).width;
  const step = roundStep(place.last, Math.max(1, Math.min(14, Math.floor((right - left) / (widest + 28)))), 1);
  const marks = ticks(place.last, step);
  for (const mark of marks) {
    context.moveTo(crisp(place.x(mark)), bottom);
    context.lineTo(crisp(place.x(mark)), bottom + 4);
  }
  context.stroke();
  context.fillStyle = color('--soft');
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  calls?.labels.forEach(([value, text]) => context.fillText(text, left - LABEL, height(calls, value)));
  if (calls) context.fillText('calls', left - LABEL, 8);
  context.textAlign = 'left';
  for (const scale of beyond) {
    scale.labels.forEach(([value, text]) => context.fillText(text, scale.at + LABEL, height(scale, value)));
    context.fillText(scale.unit, scale.at + LABEL, 8);
  }
  context.textBaseline = 'top';
  context.textAlign = 'center';
  for (const mark of marks) {
    const text = brief(mark, 0, 1e9);
    const half = context.measureText(text).width / 2;
    context.fillText(text, Math.min(place.x(mark), width - half), bottom + 9);
  }
};

/** Returns the corners of a line in one cell. */
const corners = (line, model, cell) => {
  const [from, seconds] = [model.starts[cell], model.seconds[cell]];
  const [first, min, max, last] = [line.first[cell], line.min[cell], line.max[cell], line.last[cell]];
  if (seconds === 1) return [[from, first]];
  const to = from + seconds - 1;
  if (min === max) return [[from, first], [to, last]];
  const middle = from + (seconds - 1) / 2;
  return [[from, first], [middle, min], [middle, max], [to, last]];
};

/** Draws known values as a line, single ones as dots, and joins them palely across unknown ones. */
const drawLine = (context, place, model, line) => {
  const [known, joined, dots] = [new Path2D(), new Path2D(), new Path2D()];
  const isKnown = (cell) => (line.first[cell] ?? null) !== null;
  let end = null;
  for (let cell = 0; cell < model.cells; cell += 1) {
    if (!isKnown(cell)) continue;
    const points = corners(line, model, cell).map(([offset, value]) => [place.x(offset), place.y(line, value)]);
    if (!isKnown(cell - 1)) {
      if (end) {
        joined.moveTo(...end);
        joined.lineTo(...points[0]);
      }
      known.moveTo(points[0][0] - DOT, points[0][1]);
      if (points.length === 1 && !isKnown(cell + 1)) {
        dots.moveTo(points[0][0] - DOT, points[0][1]);
        dots.lineTo(...points[0]);
      }
    }
    points.forEach((point) => known.lineTo(...point));
    end = points[points.length - 1];
  }
  const dense = model.cells > 1.5 * (place.right - place.left);
  const width = (1 + line.width * 0.4) * (dense ? 0.6 : 1);
  context.strokeStyle = line[theme()];
  context.lineJoin = 'round';
  context.lineCap = 'round';
  context.lineWidth = width;
  context.globalAlpha = 0.35;
  context.stroke(joined);
  context.globalAlpha = 1;
  context.stroke(known);
  context.lineWidth = dense ? width : width + 3;
  context.stroke(dots);
};

let place = null;

const draw = () => {
  const model = current();
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  const { context, width, height } = prepared(by('chart'));
  place = layout(context, width, height, model);
  shade(context, place, model, model.pauses, color('--pause'));
  shade(context, place, model, model.closed, color('--closed'));
  drawAxes(context, place, color);
  place.on.forEach((line) => drawLine(context, place, model, line));
  for (const button of by('legend').children) {
    const line = model.lines.find(({ letter }) => letter === button.dataset.letter);
    button.setAttribute('aria-pressed', String(isOn(line)));
    button.title = line.name;
    button.firstChild.textContent = line.name;
    button.style.setProperty('--line', line[theme()]);
  }
  drawCross();
};

const drawCross = () => {
  const model = current();
  const { context } = prepared(by('cross'));
  showReadout(model);
  if (state.at === null) return;
  const style = getComputedStyle(document.documentElement);
  const at = wholeCells(model, state.at);
  const x = place.x((at[0] + at[1]) / 2);
  context.strokeStyle = style.getPropertyValue('--soft');
  context.beginPath();
  context.moveTo(crisp(x), place.top - 6);
  context.lineTo(crisp(x), place.bottom);
  context.stroke();
  context.lineCap = 'round';
  for (const line of place.on) {
    const [min, max] = heights(model, line, at);
    if (min === null) continue;
    const thickness = min === max ? 7 : 3;
    for (const [paint, thick] of [[style.getPropertyValue('--card'), thickness + 4], [line[theme()], thickness]]) {
      context.strokeStyle = paint;
      context.lineWidth = thick;
      context.beginPath();
      context.moveTo(x, place.y(line, min) + DOT);
      context.lineTo(x, place.y(line, max));
      context.stroke();
    }
  }
};

/** Shows the values under the pointer in the legend; without a pointer the peaks. */
const showReadout = (model) => {
  const at = state.at && wholeCells(model, state.at);
  const values = new Map(model.lines.map((line) => [line.letter, at ? span(...heights(model, line, at)) : exact(peak(line))]));
  for (const button of by('legend').children) {
    const value = values.get(button.dataset.letter);
    button.lastChild.value = value;
    button.lastChild.classList.toggle('long', value.length > 11);
  }
  const plot = by('plot');
  plot.setAttribute('aria-valuemax', String(Math.max(model.length - 1, 0)));
  plot.setAttribute('aria-valuenow', String(at?.[0] ?? 0));
  if (!at) {
    by('when').textContent = 'Peaks';
    by('time').textContent = `of ${whole('')(model.length)} second${model.length === 1 ? '' : 's'}`;
    plot.setAttribute('aria-valuetext', 'no second selected');
    return;
  }
  by('when').textContent = `${range(at)} s${states(model, at)}`;
  by('time').textContent = utcSpan(model.start + at[0], model.start + at[1]);
  const lines = place.on.map((line) => `${line.name} ${values.get(line.letter)}`);
  plot.setAttribute('aria-valuetext', [by('when').textContent, ...lines].join(', '));
};

// Pointer, keys, window

const point = (at) => {
  if (String(at) === String(state.at) || current().cells === 0) return;
  state.at = at;
  drawCross();
};

/** Returns the range that a key selects: the previous or next cell, or the one a twentieth of the log away. */
const keyTarget = (key) => {
  const model = current();
  const last = model.cells - 1;
  const [before, after] = state.at ? state.at.map((offset) => cellAt(model, offset)) : [1, -1];
  const far = Math.max(1, Math.round(last / 20));
  const to = {
    ArrowLeft: before - 1, ArrowDown: before - 1, ArrowRight: after + 1, ArrowUp: after + 1,
    PageDown: before - far, PageUp: after + far, Home: 0, End: last,
  }[key];
  if (to === undefined) return undefined;
  const offset = model.starts[Math.min(last, Math.max(0, to))];
  return [offset, offset];
};

const listen = () => {
  const plot = by('plot');
  const follow = (event) => point(place.under(event.clientX - plot.getBoundingClientRect().left));
  plot.addEventListener('pointermove', follow);
  plot.addEventListener('pointerdown', follow);
  plot.addEventListener('pointerleave', (event) => event.pointerType === 'mouse' && point(null));
  plot.addEventListener('blur', () => point(null));
  plot.addEventListener('keydown', (event) => {
    const at = event.key === 'Escape' ? null : keyTarget(event.key);
    if (at === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    point(at);
  });
  by('theme').onclick = () => {
    document.documentElement.dataset.theme = theme() === 'dark' ? 'light' : 'dark';
    nameTheme();
    draw();
  };
  window.addEventListener('resize', draw);
  new ResizeObserver(draw).observe(plot);
};

/** Labels the button with the theme that it selects. */
const nameTheme = () => {
  by('paper').textContent = theme() === 'dark' ? 'Light' : 'Dark';
  by('theme').title = `Switch to the ${theme() === 'dark' ? 'light' : 'dark'} theme`;
};

document.title = `${data.log} – rateLLMiter`;
by('log').textContent = data.log;
makeLegend();
if (data.models.length > 1) by('models').append(data.models.length > TABS ? makeSelect() : makeTabs());
nameTheme();
choose(state.shown);
listen();
