// Draws the curves of the chosen runs, and writes what they are under the cursor into the table of runs.
const HEIGHT = 380, LEFT = 62, RIGHT = 24, TOP = 12, BOTTOM = 34;
const NS = "http://www.w3.org/2000/svg";
const find = (id) => document.getElementById(id);
const plot = find("plot"), form = find("controls"), fields = form.elements;
const hidden = new Set();
let data = JSON.parse(find("data").textContent);
let curves = [], stops = [], xAxis = null, marks = {}, cursor = null, lit = null, drag = null, width = 0;

const boxes = () => [...document.querySelectorAll("#lines input[type=checkbox]")];
const number = (name) => (fields[name].value === "" ? null : Number(fields[name].value));

// The points of a run in what is chosen: steps, places on the x axis, values; null: not finite.
function points(run) {
  const column = run.columns[fields.quantity.value];
  if (!column) return null;
  const over = fields.over.value, [steps, values] = column;
  if (over === "step") return { steps, x: steps, values };
  if (over === "units") return { steps, x: steps.map((step) => step * run.units), values };
  const clock = run.columns.seconds;
  if (!clock) return null;
  const seconds = new Map(clock[0].map((step, i) => [step, clock[1][i]]));
  const timed = steps.map((_, i) => i).filter((i) => seconds.has(steps[i]));
  return { steps: timed.map((i) => steps[i]), x: timed.map((i) => seconds.get(steps[i])), values: timed.map((i) => values[i]) };
}
// An exponential moving average over logged points, not drawn towards 0 where it begins.
function smooth(values, weight) {
  let mean = 0, norm = 0;
  return values.map((value) => {
    if (value === null) return null;
    mean = weight * mean + (1 - weight) * value;
    norm = weight * norm + (1 - weight);
    return mean / norm;
  });
}
// The index of the last point at or before x; -1: there is none.
function before(xs, x) {
  let low = 0, high = xs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle + 1; else high = middle;
  }
  return low - 1;
}
function element(name, attributes, parent) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}
function extent(series, usable) {
  let low = Infinity, high = -Infinity;
  for (const values of series) for (const value of values) if (usable(value)) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}
function line(curve, values, yAxis, low, high, logX, logY) {
  let path = "", pen = "M";
  const first = Math.max(0, before(curve.x, low)), last = Math.min(curve.x.length - 1, before(curve.x, high) + 1);
  for (let i = first; i <= last; i++) {
    const value = values[i], x = curve.x[i];
    if (value === null || (logY && value <= 0) || (logX && x <= 0)) { pen = "M"; continue; }
    path += `${pen}${xAxis.at(x).toFixed(1)} ${yAxis.at(value).toFixed(1)}`;
    pen = "L";
  }
  return path;
}
function draw() {
  const weight = Number(fields.smoothing.value), logX = fields.logx.checked, logY = fields.logy.checked;
  fields.smoothed.value = fields.smoothing.value;
  curves = data.runs.filter((run) => !hidden.has(run.id)).flatMap((run) => {
    const found = points(run);
    return found && found.x.length ? [{ run, ...found, drawn: weight ? smooth(found.values, weight) : found.values }] : [];
  });
  width = Math.max(280, plot.clientWidth);
  const right = width - RIGHT, bottom = HEIGHT - BOTTOM;
  plot.replaceChildren();
  const svg = element("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, "aria-hidden": "true" }, plot);
  const range = extent(curves.map((curve) => curve.x), (x) => !logX || x > 0);
  if (!range) {
    element("text", { x: LEFT, y: 40 }, svg).textContent = "none of the runs shown has this quantity over this axis";
    xAxis = null;
    stops = [];
    return point(null);
  }
  let [low, high] = [number("from") ?? range[0], number("to") ?? range[1]];
  if (logX && low <= 0) low = range[0];
  if (high <= low) [low, high] = range;
  const seen = curves.map((curve) => curve.drawn.filter((_, i) => curve.x[i] >= low && curve.x[i] <= high));
  const [bottomValue, topValue] = extent(seen, (value) => value !== null && (!logY || value > 0)) ?? [1, 2];
  const margin = logY ? 0 : 0.03 * (topValue - bottomValue);
  xAxis = { ...axis(low, high, logX, LEFT, right, Math.max(2, width / 110)), low, high };
  const yAxis = axis(bottomValue - margin, topValue + margin, logY, bottom, TOP, 6);
  for (const x of xAxis.ticks) {
    element("path", { class: "grid", d: `M${xAxis.at(x)} ${TOP}V${bottom}` }, svg);
    element("text", { x: xAxis.at(x), y: bottom + 17, "text-anchor": "middle" }, svg).textContent = written(x);
  }
  for (const y of yAxis.ticks) {
    element("path", { class: "grid", d: `M${LEFT} ${yAxis.at(y)}H${right}` }, svg);
    element("text", { x: LEFT - 7, y: yAxis.at(y) + 4, "text-anchor": "end" }, svg).textContent = written(y);
  }
  const clip = element("clipPath", { id: "inside" }, svg);
  element("rect", { x: LEFT, y: TOP, width: right - LEFT, height: bottom - TOP }, clip);
  element("rect", { class: "frame", x: LEFT, y: TOP, width: right - LEFT, height: bottom - TOP }, svg);
  const inside = element("g", { "clip-path": "url(#inside)" }, svg);
  for (const curve of curves) {
    const group = element("g", { class: curve.run.style, "data-run": curve.run.id }, inside);
    if (weight) element("path", { class: "raw", d: line(curve, curve.values, yAxis, low, high, logX, logY) }, group);
    element("path", { class: "curve", d: line(curve, curve.drawn, yAxis, low, high, logX, logY) }, group);
  }
  marks = { layer: element("g", {}, svg), yAxis, bottom, inside };
  // The places where any curve shown has a point, in order: the cursor goes from one to the next.
  const places = new Set(curves.flatMap((curve) => curve.x).filter((x) => x >= low && x <= high));
  stops = [...places].sort((a, b) => a - b);
  plot.setAttribute("aria-valuemin", low);
  plot.setAttribute("aria-valuemax", high);
  light(lit);
  point(cursor === null ? null : Math.min(high, Math.max(low, cursor)));
}
// Put the cursor at x; null: take it away, the table then has the last values.
function point(x) {
  cursor = x;
  const known = new Map(curves.map((curve) => [curve.run.id, curve]));
  find("at").textContent = x === null ? "last value" : `at ${written(x)}`;
  for (const row of document.querySelectorAll("#lines tr")) {
    const cell = row.querySelector(".value"), curve = known.get(row.dataset.run);
    const i = !curve ? -1 : x === null ? curve.values.length - 1 : before(curve.x, x);
    cell.replaceChildren(i < 0 ? "–" : curve.values[i] === null ? "not finite" : String(curve.values[i]));
    // A run that logged nothing just there shows the value before, and says where that is.
    if (i >= 0 && x !== null && curve.x[i] !== x) {
      const note = document.createElement("small");
      note.textContent = ` at ${written(curve.x[i])}`;
      cell.append(note);
    }
  }
  if (!xAxis) return;
  marks.layer.replaceChildren();
  plot.setAttribute("aria-valuenow", x ?? xAxis.low);
  plot.setAttribute("aria-valuetext", x === null ? "no cursor" : `${fields.over.value} ${written(x)}`);
  if (x === null) return;
  element("path", { class: "cursor", d: `M${xAxis.at(x)} ${TOP}V${marks.bottom}` }, marks.layer);
  for (const curve of curves) {
    const i = before(curve.x, x), value = curve.drawn[i];
    if (i < 0 || value === null || value === undefined || curve.x[i] < xAxis.low) continue;
    const y = marks.yAxis.at(value);
    if (y < TOP - 1 || y > marks.bottom + 1) continue;
    const group = element("g", { class: curve.run.style }, marks.layer);
    element("circle", { class: "dot", r: 3.5, cx: xAxis.at(curve.x[i]), cy: y }, group);
  }
}
// Show one run before the others.
function light(id) {
  lit = id;
  for (const group of marks.inside?.children ?? []) group.classList.toggle("dim", id !== null && group.dataset.run !== id);
}
// Records keep no clock: the axis of seconds is offered where any run has one.
function offer() {
  const clock = data.runs.some((run) => run.columns.seconds);
  for (const option of fields.over.options) option.hidden = option.disabled = option.value === "seconds" && !clock;
}
function look(low, high) {
  [fields.from.value, fields.to.value] = low === null ? ["", ""] : [low, high];
  draw();
}
function pixel(event) {
  return (event.clientX - plot.getBoundingClientRect().left) * (width / plot.clientWidth);
}
function nearest(x) {
  const i = before(stops, x);
  if (i < 0) return stops[0] ?? null;
  return i + 1 < stops.length && stops[i + 1] - x < x - stops[i] ? stops[i + 1] : stops[i];
}
plot.addEventListener("pointermove", (event) => {
  if (!xAxis) return;
  const at = pixel(event);
  point(nearest(xAxis.from(at)));
  if (drag !== null && Math.abs(at - drag) > 8)
    element("rect", { class: "chosen", x: Math.min(at, drag), y: TOP, width: Math.abs(at - drag), height: marks.bottom - TOP }, marks.layer);
});
plot.addEventListener("pointerdown", (event) => {
  if (event.pointerType === "mouse" && event.button === 0) drag = pixel(event);
  if (event.pointerType !== "mouse" && xAxis) point(nearest(xAxis.from(pixel(event))));
});
// A finger is lifted to read what is under it: its cursor stays.
plot.addEventListener("pointerleave", (event) => { drag = null; if (event.pointerType === "mouse") point(null); });
plot.addEventListener("pointerup", (event) => {
  const start = drag, end = pixel(event);
  drag = null;
  if (start === null || !xAxis || Math.abs(end - start) <= 8) return;
  const [low, high] = [start, end].sort((a, b) => a - b).map((at) => nearest(xAxis.from(at)));
  if (high > low) look(low, high);
});
plot.addEventListener("dblclick", () => look(null));
plot.addEventListener("keydown", (event) => {
  if (!xAxis) return;
  const last = stops.length - 1, i = cursor === null ? -1 : before(stops, cursor), by = event.shiftKey ? 10 : 1;
  const to = { ArrowRight: i + by, ArrowUp: i + by, ArrowLeft: i < 0 ? last : i - by, ArrowDown: i < 0 ? last : i - by,
    PageUp: i + 10, PageDown: i < 0 ? last : i - 10, Home: 0, End: last }[event.key];
  if (event.key === "Escape") look(null);
  else if (to !== undefined) point(stops[Math.min(last, Math.max(0, to))] ?? null);
  else return;
  event.preventDefault();
});
form.addEventListener("input", (event) => {
  // Steps, tokens and seconds share no range.
  if (event.target.name === "over") { cursor = null; fields.from.value = fields.to.value = ""; }
  draw();
});
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(draw));
const lines = find("lines");
lines.addEventListener("change", (event) => {
  if (event.target.checked) hidden.delete(event.target.value); else hidden.add(event.target.value);
  draw();
});
for (const [id, shown] of [["all", true], ["none", false]])
  find(id).addEventListener("click", () => {
    for (const box of boxes()) { box.checked = shown; if (shown) hidden.delete(box.value); else hidden.add(box.value); }
    draw();
  });
for (const [on, off] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
  lines.addEventListener(on, (event) => light(event.target.closest("tr").dataset.run));
  lines.addEventListener(off, () => light(null));
}
// Browsers keep the state of boxes when a page is loaded again.
for (const box of boxes()) if (!box.checked) hidden.add(box.value);
offer();
draw();
new ResizeObserver(() => { if (plot.clientWidth !== width && plot.clientWidth >= 280) draw(); }).observe(plot);
