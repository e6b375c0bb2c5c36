// Axes: where a value lies, and which values are written beside it.
function nice(span) {
  const power = 10 ** Math.floor(Math.log10(span)), rest = span / power;
  return power * (rest <= 1 ? 1 : rest <= 2 ? 2 : rest <= 5 ? 5 : 10);
}
function linearTicks(low, high, count) {
  const step = nice((high - low) / count), found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step);
  return found;
}
function logTicks(low, high, count) {
  const found = [], decades = Math.log10(high / low);
  const within = decades > count ? [1] : decades > 1.5 ? [1, 3] : [1, 2, 5];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
    for (const digit of within) {
      const value = digit * 10 ** power;
      if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) found.push(value);
    }
  return found.length > 2 ? found : linearTicks(low, high, count).filter((value) => value > 0);
}
// From [low, high] to [start, end] in pixels.
function axis(low, high, log, start, end, count) {
  if (!(high > low)) [low, high] = log ? [low / 2, low * 2] : [low - 0.5, high + 0.5];
  const place = log ? Math.log : (value) => value, scale = (end - start) / (place(high) - place(low));
  return {
    at: (value) => start + (place(value) - place(low)) * scale,
    from: (pixel) => { const value = place(low) + (pixel - start) / scale; return log ? Math.exp(value) : value; },
    ticks: (log ? logTicks : linearTicks)(low, high, count),
  };
}
function written(value) {
  const size = Math.abs(value);
  if (size >= 1e6 || (size && size < 1e-4)) return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
  return size >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(6)));
}
