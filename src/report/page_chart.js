/* Charts: axes as SVG, marks on a canvas (10,000 of them are drawn in a few milliseconds), labels as SVG above.  A chart is one stop
 * of the Tab key; arrow keys walk through its marks, Enter opens the trial.  It is drawn when it comes into view.
 * SPDX-License-Identifier: Apache-2.0 */

// --- colours ------------------------------------------------------------------------------------------------------------

let inkCache = new Map();
/* The value of a CSS variable, for canvases. */
const ink = (name) => {
  if (!inkCache.has(name)) inkCache.set(name, getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim());
  return inkCache.get(name);
};
const N_COLOURS = 10, N_SHAPES = 4;
const colourName = (i) => (i < 0 ? "soft" : "s" + (i % N_COLOURS));
const shapeNumber = (i) => Math.floor(Math.max(0, i) / N_COLOURS) % N_SHAPES;
/* The colour at 0..1 of the scale for numbers (from the style: --q0 .. --q4). */
const rampColour = (x) => {
  const at = Math.min(0.9999, Math.max(0, x)) * 4, i = Math.floor(at), part = at - i;
  const hex = (name) => [1, 3, 5].map((k) => parseInt(ink(name).slice(k, k + 2), 16));
  const a = hex("q" + i), b = hex("q" + (i + 1));
  return `rgb(${a.map((v, k) => Math.round(v + (b[k] - v) * part)).join(",")})`;
};
/* Black or white, whichever is read better on a colour "rgb(r,g,b)". */
const textOn = (rgb) => {
  const [r, g, b] = rgb.match(/\d+/g).map(Number);
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#10161c" : "#ffffff";
};

// --- scales -------------------------------------------------------------------------------------------------------------

const niceStep = (range, n) => {
  const raw = range / Math.max(1, n), power = Math.pow(10, Math.floor(Math.log10(raw))), unit = raw / power;
  return (unit <= 1 ? 1 : unit <= 2 ? 2 : unit <= 5 ? 5 : 10) * power;
};
const linearTicks = (lo, hi, n) => {
  const step = niceStep(hi - lo || 1, n), ticks = [];
  for (let i = Math.ceil(lo / step - 1e-9); i * step <= hi + step * 1e-9; i++) ticks.push(+(i * step).toPrecision(12));
  return ticks;
};
const logTicks = (lo, hi, n) => {
  const pick = (list) => {
    const ticks = [];
    for (let p = Math.floor(Math.log10(lo)); p <= Math.ceil(Math.log10(hi)); p++)
      for (const m of list) { const t = +(m * Math.pow(10, p)).toPrecision(6); if (t >= lo * 0.999 && t <= hi * 1.001) ticks.push(t); }
    return ticks;
  };
  const all = pick([1, 2, 5]);
  return all.length <= n ? all : pick([1, 3]).length <= n ? pick([1, 3]) : pick([1]);
};
const makeScale = ({ lo, hi, isLog }, from, to) => {
  const f = isLog ? Math.log10 : (x) => x, a = f(lo), b = f(hi);
  return (x) => from + (b === a ? 0.5 : (f(x) - a) / (b - a)) * (to - from);
};
/* An axis around the numbers; include: numbers that must be on it. */
const axisAround = (values, { isLog = null, share = 0.06, floor = -Infinity, include = [], ratio = 8 } = {}) => {
  const all = values.concat(include).filter(has);
  let lo = least(all), hi = most(all);
  if (!all.length) return { lo: 0, hi: 1, isLog: false };
  const log = isLog === null ? lo > 0 && hi / lo > ratio : isLog && lo > 0;
  if (log) { const wide = Math.pow(hi / lo || 1, share) * 1.02; return { lo: lo / wide, hi: hi * wide, isLog: true }; }
  const pad = (hi - lo || Math.abs(hi) || 1) * share;
  lo = lo - pad < floor && lo >= floor ? floor : lo - pad;
  return { lo, hi: hi + pad, isLog: false };
};

// --- marks --------------------------------------------------------------------------------------------------------------

/* Adds a mark to the canvas' path: circle, square, triangle, diamond. */
const traceMark = (g, shape, x, y, r) => {
  if (shape === 0) { g.moveTo(x + r, y); g.arc(x, y, r, 0, 6.2832); }
  else if (shape === 1) g.rect(x - r * 0.88, y - r * 0.88, r * 1.76, r * 1.76);
  else if (shape === 2) { g.moveTo(x, y - r * 1.2); g.lineTo(x + r * 1.1, y + r * 0.8); g.lineTo(x - r * 1.1, y + r * 0.8); g.closePath(); }
  else { g.moveTo(x, y - r * 1.25); g.lineTo(x + r * 1.1, y); g.lineTo(x, y + r * 1.25); g.lineTo(x - r * 1.1, y); g.closePath(); }
};
const markPath = (shape, x, y, r) => {
  if (shape === 1) return `M${x - r * 0.88} ${y - r * 0.88}h${r * 1.76}v${r * 1.76}h${-r * 1.76}Z`;
  if (shape === 2) return `M${x} ${y - r * 1.2}L${x + r * 1.1} ${y + r * 0.8}H${x - r * 1.1}Z`;
  if (shape === 3) return `M${x} ${y - r * 1.25}L${x + r * 1.1} ${y}L${x} ${y + r * 1.25}L${x - r * 1.1} ${y}Z`;
  return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
};
/* Draws marks of one look together.  list: [{x, y, r, shape, colour, isHollow, alpha}], colour resolved. */
const paintMarks = (g, list) => {
  for (const group of groupBy(list, (m) => `${m.colour}|${m.isHollow ? 1 : 0}|${m.alpha || 1}`).values()) {
    const first = group[0];
    g.globalAlpha = first.alpha || 1;
    g.beginPath();
    for (const m of group) traceMark(g, m.shape || 0, m.x, m.y, m.r);
    if (first.isHollow) {
      g.fillStyle = ink("card"); g.fill();
      g.lineWidth = 1.8; g.strokeStyle = first.colour; g.stroke();
    } else { g.fillStyle = first.colour; g.fill(); }
  }
  g.globalAlpha = 1;
};

// --- the chart ----------------------------------------------------------------------------------------------------------

const charts = [];
const drawAllCharts = (isNow) => charts.forEach((c) => c.draw(isNow));
/* Paper has its own width, which the page does not know before it is laid out for it: A4 and Letter have room for this. */
const PAPER_WIDTH = 660, PAPER_HALF = 316;
let isPaper = false;
const setPaper = (is) => {
  isPaper = is;
  for (const c of charts) c.plot.style.width = is ? c.paperWidth() + "px" : "";
};

/* Puts a chart into `box`.  describe(width, isPrint) gives null (nothing is drawn), {empty: text}, or
 *   {height, margin: {left, right, top, bottom}, label, x, y: {lo, hi, isLog, title, ticks, tickText, isBare},
 *    under(svg, x, y), paint(context, x, y), over(svg, x, y): what is drawn, from back to front; all optional,
 *    marks: [{x, y, r, trial, ...}] in pixels: what can be pointed at; tip(mark): [title, rows]; reach: pixels, pick(px, py): a mark}. */
class Chart {
  constructor(box, describe) {
    Object.assign(this, { box, describe, width: 0, isVisible: false, isDirty: true, at: -1, plan: null });
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.back = sv("svg", { class: "back", "aria-hidden": "true" });
    this.front = sv("svg", { class: "front-layer", "aria-hidden": "true" });
    this.ring = sv("path", { class: "ring", visibility: "hidden" });
    this.plot = el("div", { class: "plot", tabindex: 0, role: "application", "aria-roledescription": "chart", "aria-label": (box.closest("section") || $("glance")).querySelector("h2").textContent }, this.back, this.canvas, this.front);
    box.replaceChildren(this.plot);
    this.listen();
    charts.push(this);
    new ResizeObserver(() => {
      const w = Math.round(box.clientWidth - 2 * parseFloat(getComputedStyle(box).paddingLeft));
      if (!isPaper && w > 0 && Math.abs(w - this.width) > 1) { this.width = w; this.draw(); }
    }).observe(box);
    new IntersectionObserver((list) => {
      this.isVisible = list[list.length - 1].isIntersecting;
      if (this.isVisible && this.isDirty) this.draw();
    }, { rootMargin: "300px" }).observe(box);
  }

  paperWidth() { return this.box.closest(".multiples") ? PAPER_HALF : PAPER_WIDTH; }

  /* Draws now when `isNow` or in view, else when it comes into view. */
  draw(isNow) {
    this.isDirty = true;
    if (isPaper) this.width = this.paperWidth();
    else if (isNow) this.width = Math.round(this.box.clientWidth - 2 * parseFloat(getComputedStyle(this.box).paddingLeft)) || this.width;
    if (this.width <= 0 || (!this.isVisible && !isNow)) return;
    this.isDirty = false;
    const W = this.width, plan = (this.plan = this.describe(W));
    this.unpoint();
    this.box.hidden = plan === null;
    if (plan === null) return;
    if (plan.empty) { this.plot.style.height = ""; this.plot.replaceChildren(el("p", { class: "empty" }, plan.empty)); this.plot.setAttribute("aria-label", plan.empty); return; }
    if (this.plot.firstChild !== this.back) this.plot.replaceChildren(this.back, this.canvas, this.front);
    const H = (this.height = plan.height);
    this.plot.style.height = H + "px";
    for (const svg of [this.back, this.front]) { svg.setAttribute("viewBox", `0 0 ${W} ${H}`); svg.replaceChildren(); }
    const m = plan.margin;
    const x = makeScale(plan.x, m.left, W - m.right), y = makeScale(plan.y, H - m.bottom, m.top);
    drawFrame(this.back, W, H, m, plan, x, y);
    if (plan.under) plan.under(this.back, x, y, W, H);
    const dots = Math.max(2, devicePixelRatio || 1);
    if (this.canvas.width !== Math.round(W * dots) || this.canvas.height !== Math.round(H * dots)) {
      this.canvas.width = Math.round(W * dots); this.canvas.height = Math.round(H * dots);
    }
    const g = this.canvas.getContext("2d");
    g.setTransform(dots, 0, 0, dots, 0, 0);
    g.clearRect(0, 0, W, H);
    if (plan.paint) plan.paint(g, x, y, W, H);
    if (plan.over) plan.over(this.front, x, y, W, H);
    this.front.append(this.ring);
    const marks = plan.marks || [];
    this.plot.setAttribute("aria-label", plan.label + (marks.length ? `. ${plural(marks.length, "mark")}; arrow keys walk through them.` : ""));
  }

  listen() {
    const p = this.plot, place = (e) => { const b = p.getBoundingClientRect(); return [e.clientX - b.left, e.clientY - b.top]; };
    p.addEventListener("pointermove", (e) => {
      const i = this.find(...place(e));
      if (i < 0) this.unpoint(); else this.point(i, e.clientX, e.clientY);
    });
    p.addEventListener("pointerleave", () => this.unpoint());
    p.addEventListener("blur", () => this.unpoint());
    p.addEventListener("click", (e) => { const i = this.find(...place(e)); if (i >= 0) this.open(i); });
    p.addEventListener("keydown", (e) => {
      const marks = (this.plan && this.plan.marks) || [], step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[e.key];
      if (!marks.length) return;
      if (e.key === "Enter" && this.at >= 0) { e.preventDefault(); this.open(this.at); return; }
      if (!step && e.key !== "Home" && e.key !== "End") return;
      e.preventDefault();
      const next = e.key === "Home" ? 0 : e.key === "End" ? marks.length - 1 : this.at < 0 ? (step > 0 ? 0 : marks.length - 1) : (this.at + step + marks.length) % marks.length;
      const b = p.getBoundingClientRect();
      this.point(next, b.left + marks[next].x, b.top + marks[next].y);
    });
  }

  find(px, py) {
    const plan = this.plan;
    if (!plan || !plan.marks) return -1;
    if (plan.pick) return plan.pick(px, py);
    let best = -1, least = (plan.reach || 18) ** 2;
    plan.marks.forEach((m, i) => {
      const dx = m.x - px, dy = m.y - py, d = dx * dx + dy * dy;
      if (d < least) { least = d; best = i; }
    });
    return best;
  }

  point(i, clientX, clientY) {
    const m = this.plan.marks[i];
    if (i !== this.at) {
      this.at = i;
      if (this.plan.ring !== false) {
        this.ring.setAttribute("d", m.w ? `M${m.x - m.w / 2} ${m.y - m.h / 2}h${m.w}v${m.h}h${-m.w}Z` : markPath(m.shape || 0, m.x, m.y, (m.r || 4) + 3.5));
        this.ring.setAttribute("visibility", "visible");
      }
      if (this.plan.onPoint) this.plan.onPoint(m, this.front);
      this.told = this.plan.tip(m);
    }
    showTip(clientX, clientY, ...this.told);
  }

  unpoint() {
    if (this.at < 0) return;
    this.at = -1;
    this.ring.setAttribute("visibility", "hidden");
    if (this.plan && this.plan.onPoint) this.plan.onPoint(null, this.front);
    hideTip();
  }

  open(i) {
    const t = this.plan.marks[i].trial;
    if (t) { hideTip(); openTrial(t); }
  }
}

/* Grid, ticks and titles.  The title of y stands above the axis, where it is read first. */
const drawFrame = (svg, W, H, m, plan, x, y) => {
  const { x: ax, y: ay } = plan;
  const xs = ax.ticks || (ax.isLog ? logTicks(ax.lo, ax.hi, (W - m.left - m.right) / 46) : linearTicks(ax.lo, ax.hi, (W - m.left - m.right) / 80));
  const ys = ay.ticks || (ay.isLog ? logTicks(ay.lo, ay.hi, H / 34) : linearTicks(ay.lo, ay.hi, Math.max(2, H / 70)));
  if (!ay.isBare)
    for (const t of ys)
      svg.append(sv("line", { class: "grid", x1: m.left, x2: W - m.right, y1: y(t), y2: y(t) }),
        sv("text", { x: m.left - 7, y: y(t) + 4, "text-anchor": "end" }, (ay.tickText || tickText)(t)));
  if (!ax.isBare)
    for (const t of xs)
      svg.append(sv("line", { class: "axis", x1: x(t), x2: x(t), y1: H - m.bottom, y2: H - m.bottom + 5 }),
        sv("text", { x: x(t), y: H - m.bottom + 18, "text-anchor": "middle" }, (ax.tickText || tickText)(t)));
  svg.append(sv("line", { class: "axis", x1: m.left, x2: W - m.right, y1: H - m.bottom, y2: H - m.bottom }));
  if (ax.title) svg.append(sv("text", { x: (m.left + W - m.right) / 2, y: H - 5, "text-anchor": "middle" }, ax.title));
  if (ay.title) svg.append(sv("text", { x: 2, y: 12 }, ay.title));
};

// --- keys of charts -----------------------------------------------------------------------------------------------------

const swatch = (...drawing) => sv("svg", { class: "swatch", viewBox: "0 0 18 12", "aria-hidden": "true" }, ...drawing);
const swatchOf = (i) => swatch(sv("path", { d: markPath(shapeNumber(i), 9, 6, 4.8), fill: `var(--${colourName(i)})` }));
const keyItem = (drawing, text) => el("li", {}, swatch(drawing), text);
