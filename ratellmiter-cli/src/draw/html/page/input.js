
// Pointer, keys, window

/** Shortest visible range in seconds, shortest drag in pixels, and change of the range by a key. */
const [MIN_VIEW, MIN_DRAG, KEY_ZOOM] = [4, 8, 2];

const drawCross = () => {
  const model = current();
  const { context } = prepared(by('cross'));
  showReadout(model);
  const style = getComputedStyle(document.documentElement);
  if (state.drag) {
    const [from, to] = [...state.drag].sort((one, other) => one - other);
    [context.fillStyle, context.globalAlpha] = [style.getPropertyValue('--soft'), 0.2];
    context.fillRect(from, place.top, to - from, place.bottom - place.top);
    context.globalAlpha = 1;
  }
  if (state.at === null || state.at[0] > place.to || state.at[1] < place.from) return;
  const at = wholeCells(model, state.at);
  const x = place.x((Math.max(place.from, at[0]) + Math.min(place.to, at[1])) / 2);
  context.strokeStyle = style.getPropertyValue('--soft');
  context.beginPath();
  context.moveTo(crisp(x), place.top - 6);
  context.lineTo(crisp(x), place.bottom);
  context.stroke();
  context.lineCap = 'round';
  for (const panel of place.panels) {
    for (const { line } of panel.traces) {
      const per = model.per > 1 && !isOfQueue(line) && line.axis === 'calls' ? model.per : 1;
      const [min, max] = heights(model, line, at);
      // A value that is not drawn, or beyond the scale of a slow model, has no dot.
      if (min === null || per > 1) continue;
      const thickness = min === max ? 7 : 3;
      for (const [paint, thick] of [[style.getPropertyValue('--card'), thickness + 4], [line[theme()], thickness]]) {
        context.strokeStyle = paint;
        context.lineWidth = thick;
        context.beginPath();
        // A line of length zero is not drawn.
        context.moveTo(x, panel.y(line.axis, min) + 0.01);
        context.lineTo(x, panel.y(line.axis, max));
        context.stroke();
      }
    }
  }
};

/** Shows the values under the pointer in the legend; without a pointer the peaks. */
const showReadout = (model) => {
  const at = state.at && wholeCells(model, state.at);
  const peak = (line) => exact(heights(model, line, visible(model))[1]);
  const values = new Map(model.lines.map((line) => [line.letter, at ? span(...heights(model, line, at)) : peak(line)]));
  for (const button of by('legend').children) {
    const value = values.get(button.dataset.letter);
    button.lastChild.value = value;
    button.lastChild.classList.toggle('long', value.length > 11);
  }
  const plot = by('plot');
  const range = ([from, to]) => [...new Set([from, to])].map((offset) => offsetText(offset, model.last)).join('–');
  plot.setAttribute('aria-valuemax', String(model.last));
  plot.setAttribute('aria-valuenow', String(at?.[0] ?? 0));
  by('reset').hidden = state.view === null;
  if (!at) {
    by('when').textContent = 'Peaks';
    by('time').textContent = state.view ? `of ${range(state.view)}` : `of ${duration(0)(model.length)}`;
    plot.setAttribute('aria-valuetext', 'no second selected');
    return;
  }
  by('when').textContent = [`${range(at)}${states(model, at)}`, ...eventTexts(model, at)].join(', ');
  by('time').textContent = utcSpan(model.start + at[0], model.start + at[1]);
  const lines = place.on.map((line) => `${line.name} ${values.get(line.letter)}`);
  plot.setAttribute('aria-valuetext', [by('when').textContent, ...lines].join(', '));
};

const point = (at) => {
  if (String(at) === String(state.at) || current().cells === 0) return;
  state.at = at;
  drawCross();
};

/** Shows a range of offsets, or all if it is not shorter. */
const show = (from, to) => {
  const { last } = current();
  const length = Math.max(MIN_VIEW, Math.round(to - from) + 1);
  const start = Math.max(0, Math.min(Math.round(from), last + 1 - length));
  const view = length > last ? null : [start, start + length - 1];
  if (String(view) === String(state.view)) return;
  state.view = view;
  draw();
};

/** Changes the length of the visible range by a factor, around an offset that keeps its place. */
const zoom = (factor, around) => {
  const [from, to] = visible(current());
  const part = (around - from + 0.5) / (to - from + 1);
  const length = Math.max(MIN_VIEW, (to - from + 1) * factor);
  show(around + 0.5 - part * length, around - 0.5 + (1 - part) * length);
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

/** Zooms by a key. Returns `true` if it is one for that. */
const keyZoom = (key) => {
  const [from, to] = visible(current());
  const around = state.at?.[0] ?? Math.round((from + to) / 2);
  if (key === '+' || key === '=') zoom(1 / KEY_ZOOM, around);
  else if (key === '-') zoom(KEY_ZOOM, around);
  else if (key === '0') show(0, current().last);
  else return false;
  return true;
};

/** Moves the visible range, so that it contains the selected offset. */
const follow = () => {
  if (!state.view || !state.at) return;
  const [from, to] = state.view;
  const by = Math.min(0, state.at[0] - from) + Math.max(0, state.at[1] - to);
  if (by !== 0) show(from + by, to + by);
};

const listen = () => {
  const plot = by('plot');
  const placeOf = (event) => Math.min(place.right, Math.max(place.left, event.clientX - plot.getBoundingClientRect().left));
  plot.addEventListener('pointermove', (event) => point(place.under(placeOf(event))));
  plot.addEventListener('pointerdown', (event) => {
    point(place.under(placeOf(event)));
    if (event.button === 0) state.drag = [placeOf(event), placeOf(event)];
  });
  window.addEventListener('pointermove', (event) => {
    if (!state.drag) return;
    state.drag[1] = placeOf(event);
    drawCross();
  });
  window.addEventListener('pointerup', () => {
    if (!state.drag) return;
    const [from, to] = [...state.drag].sort((one, other) => one - other);
    state.drag = null;
    if (to - from >= MIN_DRAG) show(place.offset(from), place.offset(to));
    drawCross();
  });
  window.addEventListener('pointercancel', () => {
    state.drag = null;
    drawCross();
  });
  plot.addEventListener('wheel', (event) => {
    // At its whole length, the page scrolls.
    if (event.ctrlKey || (event.deltaY >= 0 && state.view === null)) return;
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
    zoom(Math.exp(Math.max(-1, Math.min(1, pixels / 400))), place.offset(placeOf(event)));
  }, { passive: false });
  plot.addEventListener('dblclick', () => show(0, current().last));
  plot.addEventListener('pointerleave', (event) => event.pointerType === 'mouse' && point(null));
  plot.addEventListener('blur', () => point(null));
  plot.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isZoom = keyZoom(event.key);
    const at = event.key === 'Escape' ? null : keyTarget(event.key);
    if (!isZoom && at === undefined) return;
    event.preventDefault();
    if (isZoom) return;
    point(at);
    follow();
  });
  by('reset').onclick = () => show(0, current().last);
  by('theme').onclick = () => {
    document.documentElement.dataset.theme = theme() === 'dark' ? 'light' : 'dark';
    nameTheme();
    draw();
  };
  window.addEventListener('resize', draw);
  new ResizeObserver(draw).observe(plot);
};

document.title = `${data.log} – rateLLMiter`;
by('log').textContent = data.log;
makeLegend();
if (data.models.length > 1) by('models').append(data.models.length > TABS ? makeSelect() : makeTabs());
nameTheme();
choose(state.shown);
listen();
