
// The log

const spread = (column, length) => (Array.isArray(column) ? column : new Array(length).fill(column));

/** Returns a model with one value per cell in each column. */
const unpacked = (model) => {
  const seconds = spread(model.seconds, model.cells);
  let next = 0;
  const starts = seconds.map((length) => (next += length) - length);
  const lines = data.lines.map((line, index) => {
    const [mean, min = mean, max = mean] = model.heights[index].map((column) => spread(column, model.cells));
    const name = model.names?.[line.letter] ?? line.name;
    const queue = line.queue || (model.queue?.includes(line.letter) ?? false);
    return { ...line, name, queue, mean, min, max };
  });
  return { ...model, seconds, starts, lines, last: Math.max(model.length - 1, 0) };
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

const endOf = (model, cell) => model.starts[cell] + model.seconds[cell] - 1;

/** Extends a range of offsets to the ends of its cells, if the log was thinned. */
const wholeCells = (model, [from, to]) =>
  model.stretch === 1 ? [from, to] : [model.starts[cellAt(model, from)], endOf(model, cellAt(model, to))];

/** Returns the smallest and largest value of a line in a range of offsets; null if unknown. */
const heights = (model, line, [from, to]) => {
  if (model.cells === 0) return [null, null];
  const cells = [cellAt(model, from), cellAt(model, to) + 1];
  const known = (column) => column.slice(...cells).filter((height) => height !== null);
  const [minima, maxima] = [known(line.min), known(line.max)];
  return minima.length > 0 ? [Math.min(...minima), Math.max(...maxima)] : [null, null];
};

const isIn = (spans, [from, to]) => spans.some(([first, last]) => Math.floor(first) <= to && Math.ceil(last) >= from);
/** Returns the states of the limiter in a range of offsets, after a comma; nothing if it was open. */
const states = (model, at) => (isIn(model.closed, at) ? ', closed' : '') + (isIn(model.pauses, at) ? ', paused' : '');

/** Names of the events of each kind, and their marks in the order of the data. */
const MARKS = [
  { one: 'refusal', several: 'refusals', sign: '▼', color: '--refusal' },
  { one: 'overload', several: 'overloads', sign: '◆', color: '--refusal' },
  { one: 'refused canary', several: 'refused canaries', sign: '○', color: '--ink' },
  { one: 'accepted canary', several: 'accepted canaries', sign: '●', color: '--ink' },
  { one: 'closing', several: 'closings', sign: '■', color: '--closed-mark' },
];
const [REFUSED_CANARY, ACCEPTED_CANARY, CLOSED] = [2, 3, 4];

/** Returns the number and name of the events of a kind in a range of offsets; null without any. */
const eventText = (model, kind, [from, to]) => {
  const found = model.events[kind].filter(([at]) => at >= from && at <= to);
  const count = found.reduce((sum, [, count]) => sum + count, 0);
  return count === 0 ? null : `${whole('')(count)} ${count === 1 ? MARKS[kind].one : MARKS[kind].several}`;
};
/** Returns the events in a range of offsets, except that of a closed limiter, which is a state. */
const eventTexts = (model, range) =>
  MARKS.flatMap((_, kind) => (kind === CLOSED ? [] : (eventText(model, kind, range) ?? [])));

// State

const models = data.models.map((model) => ({ model, columns: null }));
const state = {
  shown: data.shown,
  on: new Set(data.on),
  /** First and last offset under the pointer; null without a pointer. */
  at: null,
  /** First and last offset that are visible; null for all. */
  view: null,
  /** First and last place of the pointer while it is dragged. */
  drag: null,
};

const current = () => {
  const shown = models[state.shown];
  shown.columns ??= unpacked(shown.model);
  return shown.columns;
};
const visible = (model) => state.view ?? [0, model.last];
const theme = () => document.documentElement.dataset.theme;
const isOn = (line) => state.on.has(line.letter);
