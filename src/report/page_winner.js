/* The winner looked at closely, how everything was measured, and how to get the model again.
 * SPDX-License-Identifier: Apache-2.0 */

// --- charts of its answers ----------------------------------------------------------------------------------------------

/* Of the test pictures where there is one, else of the validation. */
const answersOf = (study, what) => {
  for (const split of ["test", "val"]) {
    const found = documentOf(study, study.leader, `${split}_${what}`);
    if (found) return { ...found, split };
  }
  return null;
};
const SQUARE = { left: 42, right: 12, top: 14, bottom: 42 };
const unit = (title) => ({ lo: 0, hi: 1, isLog: false, title, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1] });
const classColour = (i) => (i === 0 ? "var(--ink)" : `var(--${colourName(i - 1)})`);
/* Lines over 0..1 in both directions: lines: [{name, x, y, i}], the first drawn boldest. */
const describeLines = (lines, x, y, digits) => (W) => {
  const H = 270, margin = { ...SQUARE, top: 28 }, fx = makeScale({ lo: 0, hi: 1 }, margin.left, W - margin.right), fy = makeScale({ lo: 0, hi: 1 }, H - margin.bottom, margin.top);
  const marks = lines.flatMap((line) => line.x.map((v, i) => ({ x: fx(v), y: fy(line.y[i]), r: 3, name: line.name, vx: v, vy: line.y[i] })).filter((m) => has(m.vy) && has(m.vx)));
  return {
    height: H, margin, x: unit(x), y: { ...unit(y), title: y }, label: `${y} by ${x} of ${listed(lines.slice(0, 6).map((l) => l.name))}`, marks, reach: 16,
    tip: (m) => [m.name, [[x, fix(m.vx, digits)], [y, fix(m.vy, 3)]]],
    over: (svg) => [...lines].reverse().forEach((line) => {
      const points = line.x.map((v, i) => [v, line.y[i]]).filter(([, v]) => has(v));
      if (points.length) svg.append(sv("path", { class: "curve", d: "M" + points.map(([a, b]) => `${fx(a).toFixed(1)} ${fy(b).toFixed(1)}`).join("L"), style: `stroke:${classColour(line.i)};${line.i ? "stroke-width:1.4;opacity:.8" : "stroke-width:2.6"}` }));
    }),
  };
};
const curveChartsOf = (study) => {
  const c = answersOf(study, "curves");
  if (!c || !Array.isArray(c.classes) || !c.classes.length) return [];
  const classes = c.classes.slice(0, 9), all = classes[0], where = c.split === "test" ? "test pictures" : "validation pictures";
  const key = classes.length > 1 ? el("ul", { class: "key" }, classes.map((k, i) => el("li", {}, swatch(sv("line", { x1: 0, x2: 18, y1: 6, y2: 6, "stroke-width": 2.5, stroke: classColour(i) })), `${k.name} ${fix(k.ap50, 3)}`))) : "";
  return [
    { title: "Precision by recall", note: `at IoU ${c.iou}, ${where}; mAP50 ${fix(all.ap50, 3)}${c.classes.length > 9 ? "; the first eight classes" : ""}`, describe: describeLines(classes.map((k, i) => ({ name: k.name, x: c.recall, y: k.precision, i })), "recall", "precision", 2), key },
    { title: "Precision, recall and F1 by confidence", note: has(c.best_confidence) ? `F1 is best at a confidence of ${fix(c.best_confidence, 2)}` : where,
      describe: describeLines([["F1", all.f1_conf, 0], ["precision", all.p_conf, 1], ["recall", all.r_conf, 2]].map(([name, y, i]) => ({ name, x: c.confidence, y, i })), "confidence", "share", 2),
      key: el("ul", { class: "key" }, ["F1", "precision", "recall"].map((name, i) => el("li", {}, swatch(sv("line", { x1: 0, x2: 18, y1: 6, y2: 6, "stroke-width": 2.5, stroke: classColour(i) })), name))) },
  ];
};
/* Reliability: a bar per bin of confidence up to the share that is right; on the dotted line confidence keeps its word. */
const calibrationChartOf = (study) => {
  const c = answersOf(study, "calibration");
  if (!c || !Array.isArray(c.bins)) return [];
  const bins = c.bins.filter((b) => b.n > 0), largest = most(bins.map((b) => b.n));
  return [{
    title: "Calibration", note: `of ${c.what || "answers"}, how many are right: expected error ${fix(c.ece, 3)}, largest ${fix(c.mce, 3)}, Brier score ${fix(c.brier, 3)}`,
    describe: (W) => {
      const H = 270, margin = { ...SQUARE, top: 28 }, fx = makeScale({ lo: 0, hi: 1 }, margin.left, W - margin.right), fy = makeScale({ lo: 0, hi: 1 }, H - margin.bottom, margin.top);
      const marks = bins.map((b) => ({ x: (fx(b.low) + fx(b.high)) / 2, y: (fy(0) + fy(b.accuracy)) / 2, w: fx(b.high) - fx(b.low) - 2, h: Math.max(2, fy(0) - fy(b.accuracy)), bin: b }));
      return {
        height: H, margin, x: unit("confidence"), y: unit("share that is right"), label: `Share that is right by confidence, ${plural(c.n, "answer")}`, marks,
        pick: (px) => marks.findIndex((m) => Math.abs(m.x - px) <= m.w / 2 + 1),
        tip: (m) => [`confidence ${fix(m.bin.low, 2)} to ${fix(m.bin.high, 2)}`, [["answers", thousands(m.bin.n)], ["mean confidence", fix(m.bin.confidence, 3)], ["right", percent(m.bin.accuracy)]]],
        paint: (g) => { for (const m of marks) { g.fillStyle = ink("sea"); g.globalAlpha = 0.25 + 0.75 * (m.bin.n / largest); g.fillRect(m.x - m.w / 2, fy(m.bin.accuracy), m.w, m.h); } g.globalAlpha = 1; },
        over: (svg) => svg.append(sv("line", { class: "diagonal", x1: fx(0), y1: fy(0), x2: fx(1), y2: fy(1) })),
      };
    },
    key: "Fuller bars stand for more answers. Bars below the dotted line promise too much.",
  }];
};
/* How the scores of single pictures are spread. */
const picturesChartOf = (study) => {
  const c = answersOf(study, "pictures");
  if (!c || !Array.isArray(c.pictures) || c.metric === "correct") return [];
  const scores = c.pictures.map((p) => p.score).filter(has), n = 20, counts = Array(n).fill(0);
  if (!scores.length) return [];
  for (const s of scores) counts[Math.min(n - 1, Math.max(0, Math.floor(s * n)))]++;
  const name = c.metric === "iou" ? "IoU" : c.metric.toUpperCase();
  return [{
    title: `${name} of single pictures`, note: `${plural(scores.length, "picture")} of the ${c.split === "test" ? "test" : "validation"} split; median ${fix(quantile([...scores].sort(byNumber), 0.5), 3)}`,
    describe: (W) => {
      const H = 270, margin = { ...SQUARE, top: 28 }, top = most(counts) * 1.05, fx = makeScale({ lo: 0, hi: 1 }, margin.left, W - margin.right), fy = makeScale({ lo: 0, hi: top }, H - margin.bottom, margin.top);
      const marks = counts.map((k, i) => ({ x: fx((i + 0.5) / n), y: (fy(0) + fy(k)) / 2, w: fx(1 / n) - fx(0) - 2, h: fy(0) - fy(k), k, i })).filter((m) => m.k > 0);
      return {
        height: H, margin, x: unit(name), y: { lo: 0, hi: top, isLog: false, title: "pictures" }, label: `Pictures by their ${name}`, marks, pick: (px) => marks.findIndex((m) => Math.abs(m.x - px) <= m.w / 2 + 1),
        tip: (m) => [`${name} ${fix(m.i / n, 2)} to ${fix((m.i + 1) / n, 2)}`, [["pictures", thousands(m.k)]]],
        paint: (g) => { g.fillStyle = ink("sea"); for (const m of marks) g.fillRect(m.x - m.w / 2, fy(m.k), m.w, m.h); },
      };
    },
    key: "",
  }];
};
/* count[predicted][true] as a table whose cells are coloured by their share of the true class. */
const drawConfusion = (study) => {
  const c = answersOf(study, "confusion"), isThere = Boolean(c && Array.isArray(c.names) && Array.isArray(c.count) && c.names.length > 1);
  $("confusion").hidden = !isThere;
  if (!isThere) return false;
  const n = c.names.length, columns = c.names.map((_, k) => sum(c.count.map((row) => row[k]))), colour = (v, k) => (columns[k] ? rampColour(v / columns[k]) : null);
  $("confusion").replaceChildren(el("h3", {}, "Confusion"), el("p", { class: "hint" }, `Columns: what is in the picture; rows: what was answered${has(c.confidence) ? `, with a confidence of at least ${c.confidence} and at IoU ${c.iou}` : ""}. The last column holds answers where nothing is, the last row what was not found.`),
    el("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "Confusion" }, el("table", { class: "data-table matrix" }, el("caption", {}, "Confusion: answered (rows) and true (columns)"),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "answered \\ true"), c.names.map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, c.names.map((name, r) => el("tr", {}, el("th", { scope: "row" }, name), Array.from({ length: n }, (_, k) => {
        const v = c.count[r][k], back = v > 0 ? colour(v, k) : null;
        return el("td", { style: back ? `background:${back};color:${textOn(back)}` : null }, v > 0 ? thousands(v) : "");
      })))))));
  return true;
};

let winnerCharts = [];
const drawWinnerCharts = (study) => {
  const list = [...picturesChartOf(study), ...curveChartsOf(study), ...calibrationChartOf(study)], key = study.index + ":" + (study.leader ? study.leader.id : "") + list.map((c) => c.title + c.note).join();
  if ($("winner-charts").dataset.key !== key) {
    $("winner-charts").dataset.key = key;
    for (const c of winnerCharts) charts.splice(charts.indexOf(c), 1);
    winnerCharts = [];
    $("winner-charts").replaceChildren(...list.map((c) => {
      const box = el("div", { class: "chart" }), figure = el("figure", {}, el("figcaption", {}, el("b", {}, c.title), el("br"), c.note), box, c.key ? el("div", { class: "legend" }, c.key) : "");
      winnerCharts.push(new Chart(box, c.describe));
      return figure;
    }));
  }
  $("winner-charts").hidden = !list.length;
  for (const c of winnerCharts) c.draw();
  return list.length + drawConfusion(study);
};

// --- pictures -----------------------------------------------------------------------------------------------------------

const drawPictures = (study) => {
  const list = study.pictures.filter((p) => !study.leader || p.trial === study.leader.id), key = study.index + ":" + list.map((p) => p.name).join();
  const kind = (p) => (/best/.test(p.name) ? 0 : /worst/.test(p.name) ? 1 : /sheet/.test(p.name) ? 2 : 3);
  if ($("picture-list").dataset.key === key) return;
  $("picture-list").dataset.key = key;
  list.sort((a, b) => kind(a) - kind(b));
  $("picture-list").replaceChildren(...list.map((p) => el("figure", { class: /sheet/.test(p.name) ? "is-wide" : null },
    el("img", { src: "data:image/jpeg;base64," + p.jpeg, alt: p.caption || p.name, loading: "lazy", decoding: "async" }), el("figcaption", {}, p.caption || p.name))));
};
const drawWinner = () => {
  const study = page.study, hasPictures = study.pictures.some((p) => !study.leader || p.trial === study.leader.id);
  $("winner-title").textContent = study.winner ? "The winner looked at closely" : "The leader looked at closely";
  drawPictures(study);
  const n = drawWinnerCharts(study);
  $("winner").hidden = !hasPictures && n === 0;
};
// --- device and method --------------------------------------------------------------------------------------------------

const drawMethod = () => {
  const study = page.study, f = study.facts, n = (study.leader && study.leader.net) || study.networks[0] || {};
  const rows = [
    ["Device", n.device || f.cpu], ["Target", f.target], ["Threads", n.threads ? String(n.threads) : ""], ["CPU level", f.cpu_level],
    ["Clock", has(n.clock_mhz) ? sig(n.clock_mhz) + THIN + "MHz" : ""], ["Temperature", has(n.temperature_c) ? sig(n.temperature_c) + THIN + "\u00b0C" : ""],
    ["Warm-up runs", n.warmup ? String(n.warmup) : ""], ["Timed runs", n.runs ? String(n.runs) : ""], ["Measurements disturbed", study.networks.length ? `${study.networks.filter((x) => x.is_valid === 0 && has(x.total_p90_ms)).length} of ${study.networks.length}` : ""],
    ["Latency budget", study.budget > 0 ? typed(study.budget) + THIN + "ms, p90" : "none"], ["Memory budget", Number(f.budget_bytes) > 0 ? bytes(Number(f.budget_bytes)) : ""], ["Size budget", Number(f.budget_size) > 0 ? bytes(Number(f.budget_size)) : ""],
    ["Objective", metricName(study.objective) + (study.isLower ? ", lowest" : ", highest") + ", on validation"], ["Sampler", f.sampler], ["Schedule", f.schedule], ["Stages", f.stages], ["Seed", f.seed],
    ["Data", f.data], ["Data hash", f.data_hash], ["Pictures", f.data_about], ["Trained on", (f.cpu || "") + (f.cores ? `, ${plural(Number(f.cores), "core")}` : "")],
    ["Workers at a time", f.jobs], ["Gannet", f.gannet_version], ["Compiler", f.compiler], ["Begun", f.created_at], ["Finished", f.finished_at],
    ["Trained in all", span(sum(study.trials.map((t) => t.seconds || 0)))],
  ].filter((r) => r[1]);
  $("facts").replaceChildren(...rows.map(([k, v]) => el("div", {}, el("dt", {}, k), el("dd", {}, v))));
  const disturbed = study.networks.filter((x) => x.is_valid === 0 && has(x.total_p90_ms));
  $("method-text").replaceChildren(
    el("p", {}, "Each distinct network was measured once on the target with one picture at a time, before anything trained and with nothing else of the search running. ",
      "The latency that counts is the 90th percentile of preprocessing, network and postprocessing together", study.budget > 0 ? "; networks beyond the budget were not trained." : "."),
    el("p", {}, "Trials train in stages; those that go on continue from their checkpoints, so nothing is trained twice. ",
      `A trial is judged by its best epoch on the validation pictures. The test pictures were used once, by the winner. Intervals are 95${THIN}% bootstrap intervals over pictures: with another draw of pictures the figure would mostly lie inside.`),
    disturbed.length ? el("p", {}, `The measurement of ${listed(unique(disturbed.map((x) => x.model)).slice(0, 12))} was disturbed; the quietest of its repetitions is shown.`) : "",
    study.isLean ? el("p", {}, "The study is large: this page holds every trial with its results, but training curves, and intervals other than of the objective, of the best trials and an even sample of the rest only.") : "",
    f.test_note ? el("p", {}, "No figures on test pictures: " + f.test_note) : "");
};

// --- commands -----------------------------------------------------------------------------------------------------------

const drawCommands = () => {
  const study = page.study, f = study.facts, t = study.leader, parts = [], lines = unique(study.commands.map((c) => c.line));
  if (lines.length) parts.push(el("h3", {}, "The search"), lines.map(command));
  if (t) {
    const settings = Object.entries(t.config).map(([k, v]) => `--${k.replace(/_/g, "-")} ${quote(v)}`).join(" "), epochs = study.ladder[Math.max(0, t.stage - 1)];
    parts.push(el("h3", {}, study.winner ? "The winner alone, from scratch" : "The leader alone, from scratch"),
      el("p", { class: "hint" }, "Same seed, same bits, at the same version and CPU level", f.gannet_version ? `: Gannet ${f.gannet_version}` : "", f.cpu_level ? `, ${f.cpu_level}` : "", f.data_hash ? `, data set with the hash ${f.data_hash}` : "", "."),
      command(`gannet train --data ${quote(f.data || "DATA")} ${settings}${t.config.seed ? "" : " --seed " + t.seed}${epochs ? " --epochs " + epochs : ""}`),
      command(`gannet train --from-trial ${quote(study.path + ":" + t.id)}`));
    if (study.winner && f.out) {
      const model = quote(f.out + "/best.onnx");
      parts.push(el("h3", {}, "What it reaches, and how fast it is"), command(`gannet val ${model} --data ${quote(f.data || "DATA")} --split test`), command(`gannet bench ${model} --target ${quote(f.target || "cpu")}`));
    }
  }
  parts.push(el("h3", {}, "This page again, from the study"), command(`gannet report ${page.studies.map((s) => quote(s.path)).join(" ")} -o report.html`));
  const key = parts.flat().map((p) => p.textContent).join();
  if ($("commands").dataset.key === key) return;
  $("commands").dataset.key = key;
  $("commands").replaceChildren(...parts.flat());
};
