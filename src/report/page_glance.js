/* All trials on one picture, however many: rows of dots (a swarm in each row, so that nothing hides), one chart per setting, the order
 * in which they came; the importance of settings, and two settings together.
 * SPDX-License-Identifier: Apache-2.0 */

// --- what trials can be grouped and coloured by -----------------------------------------------------------------------

/* A way to tell trials apart: key and text of each group in order, or a number for a scale of colours. */
const aspectsOf = (study) => {
  const aspects = [
    { id: "network", name: "network", group: (t) => t.netName },
    { id: "family", name: "family", group: (t) => t.family },
    { id: "stage", name: "stage reached", group: (t) => (t.stage > 0 ? `stage ${t.stage}` : "none finished"), order: (a, b) => a.localeCompare(b, "en", { numeric: true }) },
    { id: "state", name: "state", group: stateText },
  ];
  if (study.trials.some((t) => has(t.bracket))) aspects.push({ id: "bracket", name: "bracket", group: (t) => "bracket " + t.bracket, order: (a, b) => a.localeCompare(b, "en", { numeric: true }) });
  for (const knob of study.options) {
    const bins = binsOf(knob, 8), place = new Map(bins.map((b, i) => [b.text, i]));
    aspects.push({
      id: "knob:" + knob.name, name: knobName(knob.name), knob,
      group: (t) => { const i = binAt(bins, study.place(knob, t)); return i < 0 ? "not set" : bins[i].text; },
      order: knob.isNumber ? (a, b) => (place.get(a) ?? 99) - (place.get(b) ?? 99) : null,
    });
  }
  return aspects.filter((a) => a.knob || new Set(study.trials.map(a.group)).size > 1);
};
/* How trials are coloured: colour(t), and the key below the chart. */
const colouringOf = (study, aspect) => {
  if (aspect && aspect.knob && aspect.knob.isNumber) {
    const { values, isLog } = aspect.knob, f = isLog ? Math.log10 : (x) => x, low = f(values[0]), wide = f(values[values.length - 1]) - low || 1;
    const part = (v) => (f(v) - low) / wide, stops = values.length <= 12 ? values : null;
    return {
      colour: (t) => { const v = study.place(aspect.knob, t); return Number.isNaN(v) ? ink("soft") : rampColour(part(v)); },
      shape: () => 0,
      key: () => (stops ? el("ul", { class: "key" }, el("li", {}, aspect.name + ":"), stops.map((v) => keyItem(sv("circle", { cx: 9, cy: 6, r: 4.8, fill: rampColour(part(v)) }), tickText(v))))
        : el("div", { class: "ramp" }, aspect.name + ": " + sig(values[0]), el("i", { "aria-hidden": "true" }), sig(values[values.length - 1]) + (isLog ? " (logarithmic)" : ""))),
    };
  }
  if (!aspect || aspect.id === "family" || aspect.id === "network") {
    const number = (t) => page.families.indexOf(t.family);
    return { colour: (t) => ink(colourName(number(t))), shape: (t) => shapeNumber(number(t)), key: () => "" };
  }
  const groups = unique(study.trials.map(aspect.group)).sort(aspect.order || undefined), number = (t) => groups.indexOf(aspect.group(t));
  return {
    colour: (t) => ink(colourName(number(t))), shape: (t) => shapeNumber(number(t)),
    key: () => el("ul", { class: "key" }, el("li", {}, aspect.name + ":"), groups.map((g, i) => el("li", {}, swatchOf(i), g))),
  };
};

/* The axis of scores: where most are; trials far below (or, of losses, above) stand at its edge. */
const scoreAxis = (study, scored) => {
  const scores = scored.map((t) => t.score).sort(byNumber), isMany = scores.length > 30;
  const low = quantile(scores, isMany && !study.isLower ? 0.02 : 0), high = quantile(scores, isMany && study.isLower ? 0.98 : 1);
  return { ...axisAround([low, high], { isLog: false, share: 0.03, floor: 0 }), title: metricName(study.objective) + (study.isLower ? " (lower is better)" : "") };
};
const clamp = (v, a, b) => Math.min(Math.max(v, Math.min(a, b)), Math.max(a, b));

// --- rows of dots -------------------------------------------------------------------------------------------------------

/* Lays dots of one row side by side: those within one dot's width are stacked around the middle, closer when there are too many. */
const swarm = (dots, r, room) => {
  for (const column of groupBy(dots, (d) => Math.round(d.x / (2 * r))).values()) {
    column.sort((a, b) => a.sort - b.sort);
    const step = Math.min(2 * r + 0.4, room / Math.max(1, column.length));
    column.forEach((d, i) => { d.y += (i - (column.length - 1) / 2) * step; });
  }
};
const rowGroups = (study, aspect, trials) => {
  const groups = [...groupBy(trials, aspect.group)].map(([name, list]) => {
    const scored = list.filter((t) => has(t.score)).sort((a, b) => study.order(a, b));
    return { name, list, scored, best: scored[0] || null };
  });
  return groups.sort(aspect.order ? (a, b) => aspect.order(a.name, b.name)
    : (a, b) => (a.best && b.best ? study.order(a.best, b.best) : Boolean(b.best) - Boolean(a.best)) || b.list.length - a.list.length);
};
const MAX_ROWS = 80;
const describeRows = (W) => {
  const study = page.study, aspect = glanceAspect(view.rows), colouring = colouringOf(study, glanceAspect(view.colour));
  const trials = study.trials.filter(isShown), all = rowGroups(study, aspect, trials), groups = all.slice(0, MAX_ROWS);
  const scored = groups.flatMap((g) => g.scored);
  if (!groups.length) return { empty: "No trial is shown." };
  const isNarrow = W < 620, perRow = most(groups.map((g) => g.list.length));
  const rowHeight = perRow <= 6 ? 23 : perRow <= 40 ? 28 : perRow <= 150 ? 34 : groups.length > 30 ? 34 : Math.min(74, Math.max(40, 640 / groups.length));
  const r = perRow <= 12 ? 5 : perRow <= 60 ? 3.4 : perRow <= 250 ? 2.4 : 1.8;
  const nameWidth = Math.min(isNarrow ? 108 : 190, 12 + most(groups.map((g) => textWidth(g.name))));
  const margin = { left: nameWidth + 8, right: isNarrow ? 46 : 168, top: 26, bottom: 44 }, H = margin.top + margin.bottom + rowHeight * groups.length;
  const x = scoreAxis(study, scored.length ? scored : [{ score: 0 }, { score: 1 }]), fx = makeScale(x, margin.left + r, W - margin.right - r);
  const marks = [];
  groups.forEach((g, i) => {
    const middle = margin.top + rowHeight * (i + 0.5);
    const dots = g.scored.map((t) => ({ x: clamp(fx(t.score), margin.left, W - margin.right), y: middle, r: t === study.winner ? r + 1.2 : r, trial: t, shape: colouring.shape(t),
      colour: colouring.colour(t), alpha: perRow > 60 ? 0.75 : 0.95, sort: aspect.id === "stage" ? t.id : t.stage * 1e7 + t.id, isHollow: perRow <= 12 && study.ladder.length > 1 && t.stage < study.ladder.length }));
    swarm(dots, r, rowHeight - 7);
    marks.push(...dots);
  });
  const order = marks.slice().sort((a, b) => a.x - b.x), below = scored.filter((t) => (study.isLower ? t.score > x.hi : t.score < x.lo)).length;
  return {
    height: H, margin, x, y: { lo: 0, hi: 1, isBare: true }, label: `${metricName(study.objective)} of ${plural(scored.length, "trial")}, a row for each ${aspect.name}`,
    marks: order, tip: tipOf, reach: 14,
    under: (svg) => underRows(svg, { groups, margin, rowHeight, fx, x, W, H, isNarrow, nameWidth, study }),
    paint: (g) => paintMarks(g, marks),
    over: (svg) => {
      const w = marks.find((m) => m.trial === study.winner);
      if (w) svg.append(sv("circle", { class: "crown", cx: w.x, cy: w.y, r: w.r + 4 }));
      const notes = [all.length > groups.length ? `the first ${groups.length} of ${all.length} rows` : "", below ? `${plural(below, "trial")} further ${study.isLower ? "right" : "left"}, drawn at the edge` : ""].filter(Boolean);
      if (notes.length) svg.append(sv("text", { x: 2, y: 12 }, notes.join("; ")));
    },
  };
};
const underRows = (svg, { groups, margin, rowHeight, fx, x, W, H, isNarrow, nameWidth, study }) => {
  for (const t of linearTicks(x.lo, x.hi, (W - margin.left - margin.right) / 80)) svg.append(sv("line", { class: "grid", x1: fx(t), x2: fx(t), y1: margin.top, y2: H - margin.bottom }));
  groups.forEach((g, i) => {
    const top = margin.top + i * rowHeight, middle = top + rowHeight / 2;
    if (i % 2 === 0) svg.append(sv("rect", { class: "stripe", x: 0, y: top, width: W, height: rowHeight }));
    svg.append(sv("text", { class: "row-name", x: nameWidth, y: middle + 4, "text-anchor": "end" }, sv("title", {}, g.name), shorten(g.name, nameWidth - 2)));
    if (g.scored.length > 4) {
      const scores = g.scored.map((t) => t.score).sort(byNumber), at = clamp(fx(quantile(scores, 0.5)), margin.left, W - margin.right);
      svg.append(sv("line", { class: "median", x1: at, x2: at, y1: top + 3, y2: top + rowHeight - 3 }));
    }
    const lost = g.list.filter((t) => t.state === "failed").length, over = g.list.filter((t) => t.state === "screened").length;
    const figures = g.best ? fix(g.best.score, 3) : over === g.list.length ? "over budget" : lost === g.list.length ? "failed" : DASH;
    svg.append(sv("text", { class: g.best ? "row-best" : "row-none", x: W - margin.right + 10, y: middle + 4 }, isNarrow && !g.best ? DASH : figures));
    if (!isNarrow) svg.append(sv("text", { class: "row-count", x: W - 4, y: middle + 4, "text-anchor": "end" }, thousands(g.list.length) + (g.best && lost + over > 0 ? `, ${lost ? lost + " failed" : over + " over"}` : "")));
  });
  if (!isNarrow) svg.append(sv("text", { class: "row-count", x: W - 4, y: margin.top - 8, "text-anchor": "end" }, "trials"));
  svg.append(sv("text", { class: "row-count", x: W - margin.right + 10, y: margin.top - 8 }, "best"));
};

// --- in the order in which they came ------------------------------------------------------------------------------------

const describeOrder = (W) => {
  const study = page.study, colouring = colouringOf(study, glanceAspect(view.colour)), shown = study.trials.filter(isShown);
  const scored = shown.filter((t) => has(t.score)), lost = shown.filter((t) => t.state === "failed");
  if (!scored.length) return { empty: "No trial that is shown has a result." };
  const H = Math.max(320, Math.min(460, W * 0.45)), margin = { left: 46, right: 14, top: 30, bottom: 44 }, y = scoreAxis(study, scored);
  const x = { lo: 0, hi: most(study.trials.map((t) => t.id)) + 1, isLog: false, title: "trial, in the order in which they were proposed" };
  const fx = makeScale(x, margin.left, W - margin.right), fy = makeScale(y, H - margin.bottom - 16, margin.top), r = scored.length > 3000 ? 1.8 : scored.length > 300 ? 2.6 : 4.4;
  const marks = scored.map((t) => ({ x: fx(t.id), y: clamp(fy(t.score), margin.top, H - margin.bottom - 16), r, trial: t, shape: colouring.shape(t), colour: colouring.colour(t), alpha: scored.length > 300 ? 0.65 : 0.95 }));
  const gone = lost.map((t) => ({ x: fx(t.id), y: H - margin.bottom - 7, r: 3, trial: t, colour: ink("bad") }));
  return {
    height: H, margin, x, y: { ...y, isBare: true }, label: `${metricName(study.objective)} by trial`, marks: marks.concat(gone).sort((a, b) => a.x - b.x), tip: tipOf,
    under: (svg) => {
      for (const t of linearTicks(y.lo, y.hi, 6)) svg.append(sv("line", { class: "grid", x1: margin.left, x2: W - margin.right, y1: fy(t), y2: fy(t) }), sv("text", { x: margin.left - 7, y: fy(t) + 4, "text-anchor": "end" }, tickText(t)));
    },
    paint: (g) => {
      paintMarks(g, marks);
      g.strokeStyle = ink("bad"); g.lineWidth = 1; g.beginPath();
      for (const m of gone) { g.moveTo(m.x, m.y - 4); g.lineTo(m.x, m.y + 4); }
      g.stroke();
    },
    over: (svg) => {
      let d = "", best = null;
      for (const t of scored) if (best === null || study.isBetter(t.score, best)) { d += (d ? "H" + fx(t.id) + "V" + fy(t.score) : `M${fx(t.id)} ${fy(t.score)}`); best = t.score; }
      svg.append(sv("path", { class: "front", d: d + "H" + (W - margin.right) }), sv("text", { class: "budget-label", x: W - margin.right, y: fy(best) - 6, "text-anchor": "end" }, `best so far ${fix(best, 3)}`));
      if (gone.length) svg.append(sv("text", { x: margin.left + 2, y: H - margin.bottom - 14 }, `failed: ${thousands(gone.length)}`));
    },
  };
};

// --- one chart per setting ----------------------------------------------------------------------------------------------

const importanceOf = (study, name) => {
  const found = study.importance.shares.find((k) => k.knob === name && !k.with);
  return found ? found.share : NaN;
};
const describeKnob = (knob) => (W) => {
  const study = page.study, trials = study.trials.filter((t) => isShown(t) && has(t.score) && !Number.isNaN(study.place(knob, t)));
  if (!trials.length) return { empty: "No trial that is shown has this setting." };
  const isNames = !knob.isContinuous, bins = binsOf(knob, 9), longest = most(bins.map((b) => textWidth(b.text)));
  const under = isNames && !knob.isNumber && longest > (W - 48) / bins.length - 4 ? Math.min(104, 26 + longest * 0.58) : 40;
  const H = 210 + under, margin = { left: 40, right: 8, top: 16, bottom: under }, y = { ...scoreAxis(study, trials), title: null };
  const x = isNames ? { lo: 0, hi: bins.length, isLog: false } : axisAround(knob.values, { isLog: knob.isLog, share: 0.03 });
  const fx = makeScale(x, margin.left, W - margin.right), fy = makeScale(y, H - margin.bottom, margin.top), r = trials.length > 2000 ? 1.4 : trials.length > 300 ? 2 : 3.2;
  const wide = (W - margin.left - margin.right) / bins.length, at = (t) => (isNames ? fx(binAt(bins, study.place(knob, t)) + 0.5) : fx(study.place(knob, t)));
  const marks = trials.map((t) => ({ x: at(t), y: clamp(fy(t.score), margin.top, H - margin.bottom), r, trial: t, colour: ink(colourName(page.families.indexOf(t.family))), alpha: trials.length > 300 ? 0.5 : 0.9, sort: t.id }));
  if (isNames) for (const group of groupBy(marks, (m) => m.x).values()) spread(group, r, wide * 0.84);
  const groups = [...groupBy(trials, (t) => binAt(bins, study.place(knob, t)))].filter(([i]) => i >= 0).sort((a, b) => a[0] - b[0]);
  return {
    height: H, margin, y, label: `${metricName(study.objective)} by ${knobName(knob.name)}`, marks: marks.sort((a, b) => a.x - b.x), tip: tipOf, reach: 12,
    x: isNames ? { ...x, isBare: true } : { ...x, title: knob.isLog ? "logarithmic" : "" },
    under: (svg) => { if (isNames) underNames(svg, bins, { fx, H, margin, wide, isNumber: knob.isNumber }); },
    paint: (g) => paintMarks(g, marks),
    over: (svg) => {
      for (const [i, list] of groups) {
        const scores = list.map((t) => t.score).sort(byNumber), a = isNames ? fx(i) + wide * 0.1 : fx(bins[i].from), b = isNames ? fx(i + 1) - wide * 0.1 : fx(bins[i].to);
        const level = clamp(fy(quantile(scores, 0.5)), margin.top, H - margin.bottom);
        svg.append(sv("line", { class: "median-line", x1: a, x2: b, y1: level, y2: level }));
      }
    },
  };
};
/* The same as swarm, sideways. */
const spread = (dots, r, room) => {
  for (const row of groupBy(dots, (d) => Math.round(d.y / (2 * r))).values()) {
    const step = Math.min(2 * r + 0.3, room / row.length);
    row.sort((a, b) => a.sort - b.sort).forEach((d, i) => { d.x += (i - (row.length - 1) / 2) * step; });
  }
};
/* Names below the columns: slanted when they are long, every so many when they are too many. */
const underNames = (svg, bins, { fx, H, margin, wide, isNumber }) => {
  const isSlanted = most(bins.map((b) => textWidth(b.text))) > wide - 4, every = isSlanted ? Math.max(1, Math.ceil((isNumber ? 40 : 17) / wide)) : 1;
  bins.forEach((b, i) => {
    if (i % every) return;
    const x = fx(i + 0.5), y = H - margin.bottom + 15;
    svg.append(isSlanted && !isNumber ? sv("text", { x, y: y - 4, "text-anchor": "end", transform: `rotate(-35 ${x} ${y - 4})` }, shorten(b.text, (margin.bottom - 20) / 0.58)) : sv("text", { x, y, "text-anchor": "middle" }, shorten(b.text, Math.max(40, wide))));
  });
};

// --- the section --------------------------------------------------------------------------------------------------------

const glanceAspect = (id) => page.aspects.find((a) => a.id === id) || page.aspects[0] || { id: "network", name: "network", group: (t) => t.netName };
let knobCharts = new Map();
const drawGlance = () => {
  const study = page.study;
  page.aspects = aspectsOf(study);
  const ids = page.aspects.map((a) => a.id), firstKnob = page.aspects.find((a) => a.knob), few = new Set(study.trials.map((t) => t.netName)).size <= 40;
  if (!ids.includes(view.rows)) view.rows = few && ids.includes("network") ? "network" : ids.includes("family") ? "family" : ids[0];
  if (!ids.includes(view.colour)) view.colour = firstKnob ? firstKnob.id : ids.includes("family") ? "family" : ids[0];
  segments($("glance-view"), [["rows", "In rows"], ["knobs", "By setting"], ["order", "In order"]].filter(([id]) => id !== "knobs" || study.knobs.length), view.glance, (id) => { view.glance = id; redraw(); });
  const choices = page.aspects.map((a) => [a.id, a.name]);
  options($("glance-rows"), choices, view.rows);
  options($("glance-colour"), choices.filter(([id]) => id !== "network"), view.colour);
  $("rows-field").hidden = view.glance !== "rows";
  $("glance-colour").parentNode.hidden = view.glance === "knobs";
  const scored = study.trials.filter((t) => has(t.score)).length;
  $("glance-hint").textContent = {
    rows: `Each dot is one of ${plural(scored, "trial")} with a result, at its ${metricName(study.objective)}; dots that would cover each other stand one above the other, so a wide row is a frequent result. ` +
      "The tick marks the median of a row. " + (scored <= 300 && study.ladder.length > 1 ? "Filled dots were trained to the last stage." : "Trials that went further stand lower in a row."),
    knobs: `A chart for each setting: every trial at its value, coloured by family; lines mark medians.`,
    order: "The trials in the order in which they were proposed, and the best result so far.",
  }[view.glance];
  $("glance-chart").hidden = view.glance === "knobs";
  $("glance-knobs").hidden = view.glance !== "knobs";
  $("glance-key").replaceChildren(view.glance === "knobs" ? "" : colouringOf(study, glanceAspect(view.colour)).key());
  if (view.glance === "knobs") drawKnobs(study);
  glanceChart.draw();
};
const describeGlance = (W) => (view.glance === "rows" ? describeRows(W) : view.glance === "order" ? describeOrder(W) : null);
const drawKnobs = (study) => {
  const key = study.index + study.knobs.map((k) => k.name).join();
  const list = [...study.knobs].sort((a, b) => (importanceOf(study, b.name) || 0) - (importanceOf(study, a.name) || 0));
  if ($("glance-knobs").dataset.key !== key) {
    $("glance-knobs").dataset.key = key;
    for (const c of knobCharts.values()) charts.splice(charts.indexOf(c), 1);
    knobCharts = new Map();
    $("glance-knobs").replaceChildren(...list.map((knob) => {
      const share = importanceOf(study, knob.name), box = el("div", { class: "chart" });
      const figure = el("figure", { class: !knob.isNumber && knob.values.length > 10 ? "is-double" : null }, el("figcaption", {}, el("b", {}, knobName(knob.name)), has(share) ? `, importance ${percent(share)}` : ""), box);
      knobCharts.set(knob.name, new Chart(box, (W) => describeKnob(page.study.knobs.find((k) => k.name === knob.name) || knob)(W)));
      return figure;
    }));
  }
  for (const c of knobCharts.values()) c.draw();
};

// --- importance and heat map --------------------------------------------------------------------------------------------

const drawImportance = () => {
  const study = page.study, { why, shares, n_trials: n, epochs, r2 } = study.importance;
  $("importance-part").hidden = !shares.length && !why;
  const widest = most(shares.map((k) => k.share + (k.spread || 0))) || 1;
  $("importance-hint").textContent = shares.length
    ? `How much of the differences between ${plural(n, "trial")}${epochs > 0 ? ` after ${plural(epochs, "epoch")}` : ""} each setting explains by itself, and pairs of settings beyond that. ` +
      (r2 >= 0.3 ? `The model behind it foretells ${percent(r2)} of the differences between trials that it has not seen.` : `Do not trust it: the model behind it foretells only ${percent(Math.max(0, r2))} of the differences between trials that it has not seen.`)
    : why;
  $("importance").replaceChildren(el("ol", { class: "bars" }, shares.filter((k) => k.share >= 0.005 || !k.with).map((k) => el("li", { class: k.with ? "is-pair" : null }, el("span", {}, knobName(k.knob) + (k.with ? " with " + knobName(k.with) : "")),
    el("span", { class: "bar", "aria-hidden": "true" }, el("i", { style: `width:${((Math.max(0, k.share) / widest) * 100).toFixed(1)}%` })), el("span", { class: "bar-value" }, percent(k.share))))));
};

const HEAT = { best: "best result", median: "median result", count: "number of trials" };
const describeHeat = (W) => {
  const study = page.study, kx = study.knobs.find((k) => k.name === view.heatX), ky = study.knobs.find((k) => k.name === view.heatY);
  if (!kx || !ky) return { empty: "Two settings that vary are needed." };
  const isNarrow = W < 520, { cols, rows, cells } = heatGrid(study, kx, ky, isNarrow ? 5 : 8), values = cells.map((c) => c.value);
  const nameWidth = Math.min(isNarrow ? 96 : 150, 14 + most(rows.map((b) => textWidth(b.text)))), rowHeight = rows.length > 14 ? 22 : 30;
  const wide = (W - nameWidth - 10) / cols.length, longest = most(cols.map((b) => textWidth(b.text))), isSlanted = longest > wide - 2;
  const margin = { left: nameWidth + 8, right: 2, top: 8, bottom: isSlanted ? Math.min(90, 26 + longest * 0.62) : 40 }, H = margin.top + margin.bottom + rowHeight * rows.length;
  if (!cells.length) return { empty: "No trial that is shown has both settings and a result." };
  const low = least(values), high = most(values), sign = study.isLower && view.heat !== "count" ? -1 : 1;
  const part = (v) => (high === low ? 0.6 : sign > 0 ? (v - low) / (high - low) : (high - v) / (high - low));
  const marks = cells.map((c) => ({ ...c, x: margin.left + (c.col + 0.5) * wide, y: margin.top + (c.row + 0.5) * rowHeight, w: wide - 2, h: rowHeight - 2, trial: c.best, colour: rampColour(part(c.value)) }));
  const place = new Map(marks.map((m, i) => [m.row * cols.length + m.col, i]));
  return {
    height: H, margin, x: { lo: 0, hi: 1, isBare: true }, y: { lo: 0, hi: 1, isBare: true }, label: `${HEAT[view.heat]} by ${knobName(kx.name)} and ${knobName(ky.name)}`, marks,
    pick: (px, py) => { const c = Math.floor((px - margin.left) / wide), r = Math.floor((py - margin.top) / rowHeight); return c >= 0 && c < cols.length && place.has(r * cols.length + c) ? place.get(r * cols.length + c) : -1; },
    tip: (m) => [`${knobName(kx.name)} ${cols[m.col].text}, ${knobName(ky.name)} ${rows[m.row].text}`, [["trials", thousands(m.n)], ["best", fix(m.bestScore, 4)], ["median", fix(m.median, 4)], ["best trial", `#${m.best.id} ${m.best.netName}`]]],
    paint: (g) => { for (const m of marks) { g.fillStyle = m.colour; g.fillRect(m.x - m.w / 2, m.y - m.h / 2, m.w, m.h); } },
    under: (svg) => {
      rows.forEach((b, i) => svg.append(sv("text", { class: "row-name", x: nameWidth, y: margin.top + (i + 0.5) * rowHeight + 4, "text-anchor": "end" }, sv("title", {}, b.text), shorten(b.text, nameWidth - 2))));
      cols.forEach((b, i) => {
        const x = margin.left + (i + 0.5) * wide, y = H - margin.bottom + 16;
        svg.append(isSlanted ? sv("text", { x, y: y - 4, "text-anchor": "end", transform: `rotate(-38 ${x} ${y - 4})` }, shorten(b.text, 110)) : sv("text", { x, y, "text-anchor": "middle" }, b.text));
      });
      svg.append(sv("text", { x: margin.left + (W - margin.left) / 2, y: H - 4, "text-anchor": "middle" }, knobName(kx.name)));
    },
    over: (svg) => {
      if (wide >= 34) for (const m of marks) svg.append(sv("text", { class: "cell", x: m.x, y: m.y + 4, "text-anchor": "middle", style: `fill:${textOn(m.colour)}` }, view.heat === "count" ? String(m.n) : fix(m.value, 3).replace(/^0(?=\.)/, "")));
    },
  };
};
const heatCells = (study, kx, cols, ky, rows) => {
  const groups = new Map();
  for (const t of study.ranked) {
    if (!isShown(t)) continue;
    const c = binAt(cols, study.place(kx, t)), r = binAt(rows, study.place(ky, t));
    if (c < 0 || r < 0) continue;
    const at = groups.get(r * cols.length + c);
    if (at) at.push(t); else groups.set(r * cols.length + c, [t]);
  }
  return [...groups].map(([k, list]) => {
    const median = quantile(list.map((t) => t.score).sort(byNumber), 0.5), bestScore = list[0].score;
    return { col: k % cols.length, row: Math.floor(k / cols.length), n: list.length, best: list[0], bestScore, median, value: view.heat === "best" ? bestScore : view.heat === "median" ? median : list.length };
  });
};
/* The bins that hold a trial, and what they hold: names by their best result, numbers in order. */
const heatGrid = (study, kx, ky, n) => {
  let cols = binsOf(kx, n), rows = binsOf(ky, 8);
  const all = heatCells(study, kx, cols, ky, rows);
  const kept = (bins, knob, side) => {
    const first = new Map();
    for (const c of all) if (!first.has(c[side]) || study.isBetter(c.bestScore, first.get(c[side]))) first.set(c[side], c.bestScore);
    const list = [...first.keys()].sort((a, b) => (knob.isNumber ? a - b : study.isBetter(first.get(a), first.get(b)) ? -1 : 1));
    return { bins: list.map((i) => bins[i]), place: new Map(list.map((i, at) => [i, at])) };
  };
  const x = kept(cols, kx, "col"), y = kept(rows, ky, "row");
  cols = x.bins; rows = y.bins;
  return { cols, rows, cells: all.map((c) => ({ ...c, col: x.place.get(c.col), row: y.place.get(c.row) })) };
};
const drawHeat = () => {
  const study = page.study, names = study.knobs.map((k) => k.name);
  $("heat-part").hidden = names.length < 2;
  $("knobs").hidden = names.length < 2 && !study.importance.shares.length;
  if (names.length < 2) return;
  const others = names.filter((n) => n !== "model");
  if (!names.includes(view.heatX)) view.heatX = names.includes("lr0") ? "lr0" : others[0];
  if (!names.includes(view.heatY)) view.heatY = names.includes("batch") ? "batch" : names.find((n) => n !== view.heatX);
  const choices = names.map((n) => [n, knobName(n)]);
  options($("heat-x"), choices, view.heatX);
  options($("heat-y"), choices, view.heatY);
  options($("heat-value"), Object.entries(HEAT), view.heat);
  $("heat-hint").textContent = `Each cell holds the ${HEAT[view.heat]} of the trials with that pair of settings${view.heat === "count" ? "" : " (" + metricName(study.objective) + ")"}; empty where there is none.`;
  heatChart.draw();
};
