
// The model: name, verdict, figures, legend

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
  ['paused in total', 'paused', duration(1)],
  ['mean wait', 'wait_mean', duration(1)],
  ['p99 wait', 'wait_p99', duration(1)],
  ['p99 latency', 'call_p99', duration(1)],
  ['duration', 'duration', duration(0)],
  ['minimum duration', 'physical', duration(1)],
  ['in flight, mean', 'in_flight_mean', fixed(1, '')],
  ['in flight, max', 'in_flight_most', whole('')],
  ['tokens reserved', 'reserved_tokens', whole('')],
  ['tokens used', 'used_tokens', whole('')],
  ['reserved per call', 'reserved_per_call', whole('')],
  ['used per call', 'used_per_call', whole('')],
  ['fullest budget, mean', 'budget_mean', percent],
  ['fullest budget, peak', 'budget_peak', percent],
];

/** Returns a sentence in which no line breaks between a number and its unit. */
const unbroken = (sentence) =>
  sentence.split(/(\d\S*(?: \d\S*)*(?: [^\s\d]\S*)?)/).map((part, index) =>
    index % 2 === 1 ? make('span', { className: 'figure', textContent: part }) : part,
  );

const showModel = () => {
  const model = current();
  const { summary, start, pauses, closed } = model;
  by('name').textContent = named(current());
  by('started').textContent = `from ${utc(start)}`;
  by('verdict').replaceChildren(...unbroken(summary.verdict));
  by('figures').replaceChildren(
    // Figures of tokens and budgets are missing in logs without them.
    ...FIGURES.filter(([, key]) => summary[key] !== undefined).map(([title, key, format]) => {
      const value = summary[key];
      const exactValue = value === null ? 'not in this log' : String(value);
      // A value that the log bounds alone is an upper bound, with a lower one.
      const least = summary[`${key}_least`];
      const [from, to] = [least === undefined ? '' : `${format(least)}–`, format(value)];
      // The unit is written once.
      const figure = make('dd', { textContent: (to.endsWith(' s') ? from.replace(' s', '') : from) + to, title: exactValue });
      figure.dataset.figure = key;
      return make('div', {}, [make('dt', { textContent: title }), figure]);
    }),
  );
  by('shade').hidden = pauses.length === 0;
  by('closed').hidden = closed.length === 0;
  const marks = MARKS.flatMap(({ sign, color }, kind) => {
    const text = eventText(model, kind, [0, model.last]);
    if (text === null) return [];
    const mark = make('i', { className: 'mark', textContent: sign });
    mark.style.color = `var(${color})`;
    mark.setAttribute('aria-hidden', 'true');
    return [make('span', {}, [mark, text])];
  });
  by('marks').replaceChildren(...marks);
  by('axis').textContent = `Time since ${utc(start)}`;
};

const choose = (index) => {
  state.shown = index;
  [state.at, state.view, state.drag] = [null, null, null];
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
      if (isDashed(line)) button.dataset.form = 'dashed';
      button.onclick = () => {
        if (!state.on.delete(line.letter)) state.on.add(line.letter);
        draw();
      };
      return button;
    }),
  );
};

/** Labels the button with the theme that it selects. */
const nameTheme = () => {
  by('paper').textContent = theme() === 'dark' ? 'Light' : 'Dark';
  by('theme').title = `Switch to the ${theme() === 'dark' ? 'light' : 'dark'} theme`;
};
