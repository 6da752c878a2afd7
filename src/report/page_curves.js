/* Training curves: many lines on one canvas, the one under the pointer drawn again above the others.
 * SPDX-License-Identifier: Apache-2.0 */

const CURVES = [["val_loss", "Validation loss"], ["train_loss", "Training loss"], ["mean_iou", "Mean IoU"], ["box_precision50", "Box precision"],
  ["map50", "mAP50"], ["map50_95", "mAP50\u201395"], ["lr", "Learning rate"]];

/* The points [epoch, value] of a trial; smooth: a moving mean over a ninth of them. */
const curvePoints = (t, key, isLog, isSmooth) => {
  const { from, to, columns } = t.curve, points = [];
  if (!columns[key]) return points;
  for (let i = from; i < to; i++) if (has(columns[key][i]) && (!isLog || columns[key][i] > 0)) points.push([columns.epoch[i], columns[key][i]]);
  if (!isSmooth || points.length < 5) return points;
  const half = Math.max(1, Math.round(points.length / 18));
  return points.map(([e], i) => {
    const near = points.slice(Math.max(0, i - half), i + half + 1);
    return [e, sum(near.map((p) => p[1])) / near.length];
  });
};
const curveSets = (study) => {
  const kept = study.ranked.filter((t) => t.curve), running = study.trials.filter((t) => t.curve && t.state === "running");
  const last = kept.filter((t) => t.stage >= study.ladder.length), lost = study.trials.filter((t) => t.curve && !has(t.score));
  const sets = [["10", "the best 10", kept.slice(0, 10)], ["25", "the best 25", kept.slice(0, 25)], ["100", "the best 100", kept.slice(0, 100)],
    ["networks", "the best of each network", bestOfNetworks(study, kept)], ["last", "trained to the last stage", last], ["running", "running now", running],
    ["failed", "without a result", lost], ["all", `all ${thousands(kept.length + lost.length)} kept`, [...kept, ...lost]]];
  return sets.filter(([id, , list], i) => list.length && (i === 0 || i > 2 || kept.length > Number(sets[i - 1][0])) && (id !== "last" || study.ladder.length > 1));
};
const curveTrials = (study) => {
  const set = curveSets(study).find(([id]) => id === view.curveSet);
  const list = set ? set[2].filter(isShown) : [];
  return view.pinned && view.pinned.study === study && view.pinned.curve && !list.includes(view.pinned) ? [...list, view.pinned] : list;
};

const describeCurves = (W) => {
  const study = page.study, { curve: key, curveLog: isLog, curveSmooth: isSmooth } = view;
  const series = curveTrials(study).map((t) => ({ t, points: curvePoints(t, key, isLog, isSmooth) })).filter((s) => s.points.length);
  if (!series.length) return { empty: "No trial that is shown has this curve." };
  const H = Math.max(300, Math.min(440, W * 0.44)), margin = { left: 54, right: 14, top: 28, bottom: 44 };
  const all = series.flatMap((s) => s.points.map((p) => p[1])).sort(byNumber), last = most(series.flatMap((s) => s.points.map((p) => p[0])));
  /* The first steps of a loss, or a trial that ran away, may be far above the rest: the axis ends where the rest is. */
  const isLoss = key.endsWith("loss"), high = isLoss && !isLog ? Math.min(all[all.length - 1], 2.5 * quantile(all, 0.75)) : all[all.length - 1];
  const y = { ...axisAround([isLog && series.length > 10 ? quantile(all, 0.005) : all[0], high], { isLog: isLog || false, floor: 0, share: 0.04 }), title: CURVES.find(([k]) => k === key)[1] + (isLog ? " (logarithmic)" : "") };
  const x = { lo: Math.min(1, last), hi: Math.max(last, 2), isLog: false, title: "epoch", ticks: linearTicks(1, last, Math.min(last, W / 80)).filter(Number.isInteger) };
  const fx = makeScale(x, margin.left, W - margin.right), fy = makeScale(y, H - margin.bottom, margin.top);
  const order = series.slice().reverse(), clip = [margin.left, margin.top - 2, W - margin.left - margin.right + 4, H - margin.top - margin.bottom + 4];
  const trace = (g, s) => { g.beginPath(); s.points.forEach(([e, v], i) => (i ? g.lineTo(fx(e), fy(v)) : g.moveTo(fx(e), fy(v)))); };
  const marks = order.flatMap((s) => s.points.map(([e, v]) => ({ x: fx(e), y: fy(v), r: 3, trial: s.t, series: s, epoch: e, value: v }))).filter((m) => m.y >= margin.top - 2 && m.y <= H - margin.bottom + 2);
  const path = (s) => "M" + s.points.map(([e, v]) => `${fx(e).toFixed(1)} ${clamp(fy(v), margin.top, H - margin.bottom).toFixed(1)}`).join("L");
  return {
    height: H, margin, x, y, label: `${y.title} by epoch of ${plural(series.length, "trial")}`, marks, reach: 26,
    tip: (m) => [m.trial.netName, [["epoch", String(m.epoch)], [y.title, sig(m.value)], m.trial.options ? ["settings", m.trial.options] : null, ["trial", "#" + m.trial.id]]],
    under: (svg) => {
      let free = 0; /* a stage is named where its name does not cover the one before */
      study.ladder.slice(0, -1).filter((epochs) => epochs < last).forEach((epochs, k) => {
        svg.append(sv("line", { class: "stage", x1: fx(epochs), x2: fx(epochs), y1: margin.top, y2: H - margin.bottom }));
        if (fx(epochs) < free) return;
        svg.append(sv("text", { class: "stage-text", x: fx(epochs) + 3, y: margin.top + 8 }, `stage ${k + 1}`));
        free = fx(epochs) + 50;
      });
    },
    paint: (g) => {
      g.save(); g.beginPath(); g.rect(...clip); g.clip();
      for (const s of order) {
        const isFirst = s.t === study.winner;
        g.strokeStyle = ink(colourName(page.families.indexOf(s.t.family)));
        g.lineWidth = isFirst ? 2.8 : order.length > 40 ? 1 : 1.5; g.globalAlpha = isFirst ? 1 : order.length > 40 ? 0.45 : 0.85;
        trace(g, s);
        if (s.points.length > 1) g.stroke();
        else { g.fillStyle = g.strokeStyle; g.beginPath(); g.arc(fx(s.points[0][0]), fy(s.points[0][1]), 2.5, 0, 6.2832); g.fill(); }
      }
      g.restore();
    },
    over: (svg) => {
      const first = series.find((s) => s.t === study.winner);
      if (first) {
        const [e, v] = first.points[first.points.length - 1];
        svg.append(sv("text", { class: "name", x: Math.min(fx(e), W - margin.right) - 4, y: clamp(fy(v), margin.top + 8, H - margin.bottom) - 9, "text-anchor": "end" }, "winner"));
      }
    },
    onPoint: (m, svg) => {
      const old = svg.querySelector(".focus-line");
      if (old && m && old.dataset.trial === String(m.trial.id)) return;
      if (old) old.remove();
      curveChart.canvas.style.opacity = m ? 0.35 : 1;
      if (m) svg.prepend(sv("path", { class: "focus-line", "data-trial": m.trial.id, d: path(m.series), style: `stroke:var(--${colourName(page.families.indexOf(m.trial.family))})` }));
    },
  };
};

const drawCurves = () => {
  const study = page.study, known = CURVES.filter(([k]) => study.trials.some((t) => t.curve && t.curve.columns[k]));
  const sets = curveSets(study);
  $("curves").hidden = !known.length || !sets.length;
  if ($("curves").hidden) return;
  if (!known.some(([k]) => k === view.curve)) view.curve = known[0][0];
  if (!sets.some(([id]) => id === view.curveSet)) view.curveSet = (sets.find(([id]) => id === "25") || sets[0])[0];
  segments($("curve-metric"), known, view.curve, (k) => { view.curve = k; redraw(); });
  options($("curve-set"), sets.map(([id, text]) => [id, text]), view.curveSet);
  const kept = study.trials.filter((t) => t.curve).length, thinned = study.trials.find((t) => t.curve && t.curve.step > 1);
  $("curve-hint").textContent = ["Point at a line for its trial.",
    kept < study.nWithCurves ? `Of ${thousands(study.nWithCurves)} trials with curves this page holds ${thousands(kept)}: the best, and an even sample of the rest; the study holds all.` : "",
    thinned ? "Long curves are drawn by every few epochs." : ""].filter(Boolean).join(" ");
  curveChart.draw();
};
