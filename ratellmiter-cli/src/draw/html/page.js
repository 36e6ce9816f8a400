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
const fixed = (decimals, unit) => (value) => {
  if (value === null || value >= 1e6) return whole(unit)(value);
  const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return `${value.toLocaleString('en-US', digits)}${unit}`;
};
const whole = (unit) => (value) => (value === null ? UNKNOWN : `${brief(value, 0, 1e8)}${unit}`);

/** Formats seconds as `35.0 s`; from a minute on as `1:00` or `1:00:00`. */
const duration = (decimals) => (value) => {
  if (value === null) return UNKNOWN;
  const shown = fixed(decimals, ' s')(value);
  // What is rounded to a minute is one.
  return value < 60 && !shown.startsWith('60') ? shown : offsetText(Math.round(value), value);
};

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

/** Formats an offset as `m:ss`, or as `h:mm:ss` on an axis of `length` seconds, if that is an hour or more. */
const offsetText = (offset, length) => {
  const two = (number) => String(number).padStart(2, '0');
  const [hours, minutes, seconds] = [Math.floor(offset / 3600), Math.floor(offset / 60), offset % 60];
  return length < 3600 ? `${minutes}:${two(seconds)}` : `${hours}:${two(minutes % 60)}:${two(seconds)}`;
};

/** Returns the smallest of 1, 2, 5, 10, 20, ... of at least `minStep` that divides `length` into at most `maxSteps` steps. */
const roundStep = (length, maxSteps, minStep) => {
  const raw = Math.max(length / maxSteps, minStep);
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * ([1, 2, 5].find((factor) => power * factor >= raw * (1 - 1e-9)) ?? 10);
};

/** Returns the multiples of `step` from `from` to `to`. */
const ticks = (from, to, step) => {
  const first = Math.ceil(from / step - 1e-9);
  return Array.from({ length: Math.max(0, Math.floor(to / step + 1e-9) - first + 1) }, (_, index) => (first + index) * step);
};

/** Steps of a time axis in seconds. */
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
const timeStep = (seconds, maxSteps) =>
  TIME_STEPS.find((step) => step >= seconds / maxSteps) ?? roundStep(seconds / 86400, maxSteps, 1) * 86400;
