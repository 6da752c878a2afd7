/* The upper part of the page: what was asked and what won, accuracy against cost, the networks worth choosing from, the stages.
 * SPDX-License-Identifier: Apache-2.0 */

// --- words about trials -------------------------------------------------------------------------------------------------

const dataName = (facts) => (facts.data || "the data").replace(/\/+$/, "").split("/").slice(-2).join("/");
const intervalText = (study, row, metric, digits = 3) => {
  const i = study.interval(row, metric);
  return i ? `[${fix(i[0], digits)}, ${fix(i[1], digits)}]` : "";
};
const imagesOf = (study, row) => study.value(row, "images");
const STATE_TEXT = { done: "done", waiting: "waiting", running: "running", stopped: "stopped", failed: "failed", screened: "over budget" };
const stateText = (t) => {
  const study = t.study;
  if (t === study.winner) return "winner";
  if (t.state === "done" && t.stage < study.ladder.length) return study.isFinished ? `left at stage ${t.stage}` : `stage ${t.stage} done`;
  return STATE_TEXT[t.state] || t.state;
};
/* Why the trial ended where it did, in the search's words or, without any, in ours. */
const reasonText = (t) => {
  if (t.reason) return t.reason;
  if (t !== t.study.winner && t.state === "done" && t.study.isFinished && t.stage < t.study.ladder.length && t.stage > 0)
    return `not among the best after ${plural(t.study.ladder[t.stage - 1], "epoch")}`;
  return "";
};
const describeTrial = (t) => [
  has(t.score) ? [metricName(t.study.objective), fix(t.score, 4) + " " + intervalText(t.study, t.val, t.study.objective)] : null,
  has(t.testScore) ? ["on test", fix(t.testScore, 4)] : null,
  has(t.ms) ? ["latency p90", ms(t.ms)] : null,
  t.net ? ["parameters, MACs", count(t.net.params) + ", " + count(t.net.macs)] : null,
  t.options ? ["settings", t.options] : null,
  ["state", stateText(t) + (t.val !== undefined && t.study.results.epochs ? `, ${plural(t.study.results.epochs[t.val], "epoch")}` : "")],
  page.studies.length > 1 ? ["study", t.study.name] : null,
  ["trial", "#" + t.id],
];
const tipOf = (m) => [m.trial.netName, describeTrial(m.trial)];

// --- summary ------------------------------------------------------------------------------------------------------------

const askedSentence = (study) => {
  const f = study.facts, limits = [];
  if (study.budget > 0) limits.push([" answers within ", el("b", {}, typed(study.budget) + THIN + "ms"), " nine times out of ten"]);
  if (Number(f.budget_bytes) > 0) limits.push([" takes at most ", el("b", {}, bytes(Number(f.budget_bytes))), " of memory"]);
  if (Number(f.budget_size) > 0) limits.push([" is at most ", el("b", {}, bytes(Number(f.budget_size))), " large"]);
  if (Number(f.budget_mj) > 0) limits.push([" spends at most ", el("b", {}, typed(Number(f.budget_mj)) + THIN + "mJ"), " on a picture"]);
  const joined = limits.flatMap((part, i) => (i === 0 ? part : [i + 1 === limits.length ? " and" : ",", ...part]));
  return el("p", {}, "Asked for: the network with the ", study.isLower ? "lowest " : "highest ", el("b", {}, metricName(study.objective)), " on ",
    el("b", {}, dataName(f)), f.data_about ? ` (${f.data_about})` : "",
    limits.length ? [", that", ...joined, " on "] : ", with its latency known but not limited, on ", el("code", {}, f.target || "this machine"), ".");
};
const wonSentence = (study) => {
  const t = study.leader, key = study.objective;
  const test = has(t.testScore) ? ` and ${fix(t.testScore, 3)} on the test pictures, which it alone has seen` : "";
  const range = intervalText(study, has(t.testScore) ? t.test : t.val, key);
  return el("p", {}, el("b", {}, t.netName), t.options ? ` (${t.options})` : "", study.winner ? " won" : " leads", `: ${metricName(key)} ${fix(t.score, 3)} on validation${test}`,
    range ? ` (95${THIN}% interval ${range})` : "", has(t.ms) ? `, in ${ms(t.ms)}` : "",
    study.budget > 0 && has(t.ms) ? (t.ms <= study.budget ? `, ${percent(1 - t.ms / study.budget)} under the budget.` : ", over the budget.") : ".");
};
/* The third sentence: what it was chosen from, and what the pictures cannot tell from it. */
const beatenSentence = (study) => {
  const t = study.leader, trials = study.trials, out = [];
  const over = trials.filter((o) => o.state === "screened"), failed = trials.filter((o) => o.state === "failed");
  const networks = new Set(trials.map((o) => o.netName)).size;
  if (over.length) out.push(`${plural(new Set(over.map((o) => o.netName)).size, "network")} missed the budget and never trained`);
  if (failed.length) out.push(`${plural(failed.length, "trial")} failed`);
  const others = bestOfNetworks(study, trials).filter((o) => o.netName !== t.netName && has(o.score) && !(study.budget > 0 && o.ms > study.budget));
  const judged = others.slice(0, 200).map((o) => [o, compare(study, t, o)]), tied = judged.filter(([, c]) => c && !c.isApart).map(([o]) => o);
  const n = imagesOf(study, t.val);
  const how = judged.length && judged[0][1] && judged[0][1].how === "paired" ? "picture by picture" : `their 95${THIN}% intervals overlap`;
  const nScored = study.ranked.length, isPartial = !study.isFinished && nScored < trials.length;
  const parts = [`It is the best of ${isPartial ? `the ${plural(nScored, "trial")} with a result so far, out of ` : ""}${plural(trials.length, "trial")} of ${plural(networks, "network")}${out.length ? "; " + listed(out) : ""}. `];
  if (tied.length) {
    const fastest = tied.filter((o) => has(o.ms)).sort((a, b) => a.ms - b.ms)[0];
    parts.push(`${has(n) ? thousands(n) + " validation pictures" : "The validation pictures"} cannot tell it from ${tied.length === 1 ? "" : tied.length + " other networks, such as "}`,
      el("b", {}, (tied.length === 1 || !fastest ? tied[0] : fastest).netName),
      ` (${how})`);
    if (fastest && has(t.ms) && fastest.ms < t.ms * 0.9)
      parts.push(`: if speed counts, take ${tied.length === 1 ? "that" : "it"}, with ${fix(fastest.score, 3)} in ${ms(fastest.ms)}.`);
    else parts.push(".");
  } else if (others.length) {
    const next = others[0], isKnown = judged[0][1];
    parts.push(`The next network, ${next.netName}, reached ${fix(next.score, 3)}${has(next.ms) ? ` in ${ms(next.ms)}` : ""}`,
      isKnown ? `, which the pictures tell apart (${how === "picture by picture" ? how : "the intervals do not overlap"}).` : ".");
  }
  return el("p", {}, parts);
};
const nothingSentence = (study) => {
  const first = study.trials.find((t) => t.state === "failed");
  const isOver = study.trials.length > 0 && study.trials.every((t) => t.state === "screened");
  return el("p", {}, study.trials.length === 0 ? "No trial has begun." : isOver ? `All ${plural(study.trials.length, "trial")} are of networks that miss the budget; nothing was trained.`
    : `None of ${plural(study.trials.length, "trial")} has a result yet.`, first ? ` The first failure, ${first.label}: ${first.reason}.` : "");
};
const heroPicture = (study) => {
  const list = study.pictures.filter((p) => !study.leader || p.trial === study.leader.id);
  const rank = (p) => (/best/.test(p.name) ? 0 : /test/.test(p.name) ? 1 : 2);
  return list.sort((a, b) => rank(a) - rank(b))[0];
};
const drawSummary = () => {
  const study = page.study, t = study.leader, f = study.facts;
  const title = t ? (study.winner ? t.netName : t.netName + " leads so far") : "No result yet";
  $("title").textContent = title;
  document.title = (t ? t.netName : "Search") + " \u00b7 Gannet report";
  const device = (t && t.net && t.net.device) || f.cpu;
  $("eyebrow").textContent = [page.studies.length > 1 ? study.name : "", "Search on " + dataName(f), (f.finished_at || f.created_at || "").slice(0, 10), device].filter(Boolean).join(DOT);
  const lead = [askedSentence(study), ...(t ? [wonSentence(study), beatenSentence(study)] : [nothingSentence(study)])];
  if (!study.isFinished && study.trials.length) lead.push(el("p", { class: "note" }, "The search is not finished: the same command goes on where it stopped."));
  $("lead").replaceChildren(...lead);
  const picture = heroPicture(study);
  $("hero").hidden = !picture;
  $("summary").classList.toggle("has-hero", Boolean(picture));
  if (picture && $("hero").dataset.key !== study.index + picture.name) {
    $("hero").dataset.key = study.index + picture.name;
    $("hero").replaceChildren(el("img", { src: "data:image/jpeg;base64," + picture.jpeg, alt: picture.caption || picture.name }), el("figcaption", {}, picture.caption || picture.name));
  }
  if (!t) { $("figures").replaceChildren(); return; }
  const figure = (name, value, note, part) => el("div", {}, el("dt", {}, name), el("dd", {}, value, note ? el("small", {}, note) : "",
    has(part) ? el("div", { class: "meter", "aria-hidden": "true" }, el("i", { style: `width:${Math.min(100, part * 100).toFixed(1)}%` })) : ""));
  const n = t.net || {}, key = study.objective;
  $("figures").replaceChildren(...[
    figure(metricName(key) + ", validation", fix(t.score, 3), intervalText(study, t.val, key)),
    has(t.testScore) ? figure(metricName(key) + ", test", fix(t.testScore, 3), intervalText(study, t.test, key)) : "",
    figure("Latency, p90", ms(n.total_p90_ms), study.budget > 0 ? "of " + typed(study.budget) + THIN + "ms allowed" : "p50 " + ms(n.total_p50_ms),
      study.budget > 0 && has(n.total_p90_ms) ? n.total_p90_ms / study.budget : null),
    has(n.energy_mj) ? figure("Energy", sig(n.energy_mj) + THIN + "mJ", "per picture") : "",
    figure("Parameters", count(n.params), bytes(n.bytes) + " of weights"),
    figure("MACs", count(n.macs), has(n.macs) ? count(2 * n.macs) + " FLOPs" : ""),
    figure("Input", (t.config.imgsz || n.imgsz || DASH) + THIN + "px", (t.config.head || n.head || "") + " head"),
  ].filter(Boolean));
};

// --- several studies ----------------------------------------------------------------------------------------------------

const drawStudies = () => {
  $("studies").hidden = page.studies.length < 2;
  if (page.studies.length < 2) return;
  const heads = ["Study", "Device", "Budget", "Winner", "Validation", "Test", "Latency, p90", "Trials", "Hyper\u00advolume"];
  $("study-table").replaceChildren(el("caption", {}, "What was asked and found in each study"),
    el("thead", {}, el("tr", {}, heads.map((h) => el("th", { scope: "col", class: h === "Device" || h === "Winner" ? "left" : null }, h)))),
    el("tbody", {}, page.studies.map((s) => {
      const t = s.leader, n = (t && t.net) || s.networks[0] || {};
      return el("tr", { class: s === page.study ? "is-winner" : null },
        el("th", { scope: "row" }, el("button", { type: "button", class: "link", "aria-pressed": String(s === page.study), onclick: () => chooseStudy(s.index) }, swatch(sv("line", { x1: 0, x2: 18, y1: 6, y2: 6, "stroke-width": 3, stroke: `var(--${colourName(s.index)})` })), " ", s.name), el("small", {}, dataName(s.facts))),
        el("td", { class: "left" }, n.device || s.facts.cpu || DASH, el("small", {}, s.facts.target)),
        el("td", {}, s.budget > 0 ? typed(s.budget) + THIN + "ms" : DASH), el("td", { class: "left" }, t ? [t.netName, el("small", {}, t.options)] : DASH),
        el("td", {}, t ? fix(t.score, 3) : DASH, el("small", {}, t ? metricName(s.objective) : "")), el("td", {}, t ? fix(t.testScore, 3) : DASH),
        el("td", {}, t ? ms(t.ms) : DASH), el("td", {}, thousands(s.trials.length)), el("td", {}, fix(volumeOf(s, "ms").share, 3)));
    })));
  drawDevices();
};
/* The networks that at least two studies have, a pair of columns for each study. */
const drawDevices = () => {
  const best = page.studies.map((s) => new Map(bestOfNetworks(s, s.trials).map((t) => [t.netName, t])));
  const names = unique(best.flatMap((m) => [...m.keys()])).filter((name) => best.filter((m) => m.has(name)).length > 1);
  $("device-part").hidden = names.length === 0;
  names.sort((a, b) => ((best[0].get(a) || {}).ms || Infinity) - ((best[0].get(b) || {}).ms || Infinity));
  $("device-table").replaceChildren(el("caption", {}, "Latency and best result of each network in each study"),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Network"), page.studies.map((s) => [el("th", { scope: "col" }, "p90 ms, " + s.name), el("th", { scope: "col" }, `${metricName(s.objective)}, ${s.name}`)]))),
    el("tbody", {}, names.slice(0, 200).map((name) => el("tr", {}, el("th", { scope: "row" }, name), best.map((m, i) => {
      const t = m.get(name);
      return [el("td", { class: t && t.state === "screened" ? "is-soft" : null }, t ? sig(t.ms) : DASH), el("td", {}, t ? (t.state === "screened" ? "over budget" : fix(t.score, 3)) : DASH)];
    })))));
};

// --- accuracy against cost ----------------------------------------------------------------------------------------------

const COSTS = {
  ms: { name: "Latency", axis: "latency p90, ms", get: (t) => t.ms, text: ms },
  macs: { name: "MACs", axis: "multiply-accumulates of one picture", get: (t) => (t.net ? t.net.macs : null), text: count },
  params: { name: "Parameters", axis: "parameters", get: (t) => (t.net ? t.net.params : null), text: count },
  bytes: { name: "Memory", axis: "peak memory, bytes", get: (t) => (t.net ? t.net.peak_bytes : null), text: bytes },
  energy: { name: "Energy", axis: "energy of one picture, mJ", get: (t) => (t.net ? t.net.energy_mj : null), text: (x) => sig(x) + THIN + "mJ" },
};
const isWithin = (t) => !(t.study.budget > 0 && has(t.ms) && t.ms > t.study.budget);
const frontOf = (study, trials, key) =>
  paretoFront(trials.filter((t) => has(t.score) && isWithin(t)).map((t) => ({ cost: COSTS[key].get(t), score: t.score, trial: t })), study.isLower);
/* The hypervolume and its corner: the budget (or the costliest network), and from 0 to 1 (of losses: from the worst to 0). */
const volumeOf = (study, key) => {
  const front = frontOf(study, study.ranked, key);
  const cost = key === "ms" && study.budget > 0 ? study.budget : most(study.trials.map(COSTS[key].get).filter(has));
  const from = study.isLower ? most(study.ranked.map((t) => t.score)) : 0, to = study.isLower ? 0 : 1;
  return { share: front.length ? hypervolume(front, cost, from, to) : NaN, cost, from };
};

const scatterStudies = () => page.studies.filter((s) => !view.hiddenStudies.has(s.index) && s.objective === page.study.objective);
const describeScatter = (W) => {
  const cost = COSTS[view.cost], studies = scatterStudies(), isMany = page.studies.length > 1, lead = page.study;
  const shown = studies.flatMap((s) => (view.bestOnly ? bestOfNetworks(s, s.trials.filter(isShown)) : s.trials.filter(isShown)));
  const points = shown.filter((t) => has(t.score) && has(cost.get(t))), idle = shown.filter((t) => t.state === "screened" && has(cost.get(t)));
  if (!points.length && !idle.length) return { empty: "No trial that is shown has both a cost and a result." };
  const H = Math.max(320, Math.min(480, W * 0.5)), margin = { left: 46, right: 16, top: 34, bottom: 44 };
  const budgets = view.cost === "ms" ? unique(studies.map((s) => s.budget).filter((b) => b > 0)) : [];
  const x = { ...axisAround([...points, ...idle].map(cost.get), { include: budgets, floor: 0 }), title: cost.axis, tickText: view.cost === "ms" ? tickText : cost.text };
  if (x.isLog) x.title += " (logarithmic)";
  const scores = points.map((t) => t.score).sort(byNumber);
  /* A few trials that failed to learn would press all others together: the axis begins where most are. */
  const low = quantile(scores, scores.length > 30 ? 0.03 : 0), high = quantile(scores, lead.isLower && scores.length > 30 ? 0.97 : 1);
  const y = { ...axisAround(lead.isLower ? scores.filter((v) => v <= high) : scores.filter((v) => v >= low), { isLog: false, share: 0.08, floor: 0 }), title: metricName(lead.objective) + (lead.isLower ? " (lower is better)" : "") };
  const lane = idle.length ? 26 : 0, fx = makeScale(x, margin.left, W - margin.right), fy0 = makeScale(y, H - margin.bottom - lane, margin.top);
  const fy = (v) => Math.min(H - margin.bottom - lane + 4, Math.max(margin.top - 4, fy0(v)));
  const best = new Set(studies.flatMap((s) => bestOfNetworks(s, s.trials.filter(isShown))));
  const isCrowded = points.length > 300;
  const marks = points.map((t) => ({
    x: fx(cost.get(t)), y: fy(t.score), trial: t, shape: isMany ? t.study.index % N_SHAPES : shapeNumber(page.families.indexOf(t.family)),
    r: best.has(t) ? (isCrowded ? 4.6 : 5.6) : isCrowded ? 2.3 : 4.4, isBest: best.has(t), isHollow: !best.has(t) && !isCrowded,
    colour: ink(isMany ? colourName(t.study.index) : colourName(page.families.indexOf(t.family))), alpha: best.has(t) ? 1 : isCrowded ? 0.4 : 0.85,
  })).sort((a, b) => a.isBest - b.isBest || a.x - b.x);
  const crosses = idle.map((t) => ({ x: fx(cost.get(t)), y: H - margin.bottom - 13, r: 5, trial: t, colour: ink(isMany ? colourName(t.study.index) : colourName(page.families.indexOf(t.family))) }));
  const fronts = studies.map((s) => ({ study: s, list: frontOf(s, s.ranked.filter(isShown), view.cost) })).filter((f) => f.list.length);
  return {
    height: H, margin: { ...margin, bottom: margin.bottom }, x, y: { ...y, ticks: linearTicks(y.lo, y.hi, 6).filter((t) => t >= y.lo && t <= y.hi), isBare: true },
    label: `${metricName(lead.objective)} against ${cost.axis}`, marks: marks.concat(crosses), tip: tipOf,
    under: (svg, sx, sy, w, h) => underScatter(svg, { fx, fy: fy0, y, margin, budgets, lane, w, h }),
    paint: (g) => {
      paintMarks(g, marks);
      for (const c of crosses) { g.strokeStyle = c.colour; g.lineWidth = 2; g.beginPath(); g.moveTo(c.x - 4.5, c.y - 4.5); g.lineTo(c.x + 4.5, c.y + 4.5); g.moveTo(c.x + 4.5, c.y - 4.5); g.lineTo(c.x - 4.5, c.y + 4.5); g.stroke(); }
    },
    over: (svg, sx, sy, w) => overScatter(svg, { fronts, marks, fx, fy, margin, w, isMany, cost }),
  };
};
const underScatter = (svg, { fx, fy, y, margin, budgets, lane, w, h }) => {
  const floor = h - margin.bottom;
  for (const t of linearTicks(y.lo, y.hi, 6))
    svg.append(sv("line", { class: "grid", x1: margin.left, x2: w - margin.right, y1: fy(t), y2: fy(t) }), sv("text", { x: margin.left - 7, y: fy(t) + 4, "text-anchor": "end" }, tickText(t)));
  const first = least(budgets);
  if (budgets.length === 1) svg.append(sv("rect", { class: "over", x: fx(first), y: margin.top, width: Math.max(0, w - margin.right - fx(first)), height: floor - margin.top }));
  for (const b of budgets) {
    const isLeft = fx(b) > w - 130;
    svg.append(sv("line", { class: "budget", x1: fx(b), x2: fx(b), y1: margin.top - 4, y2: floor }),
      sv("text", { class: "budget-text", x: fx(b) + (isLeft ? 4 : -4), y: margin.top - 9, "text-anchor": isLeft ? "end" : "start" }, `budget ${typed(b)}${THIN}ms`));
  }
  if (lane) svg.append(sv("line", { class: "grid", x1: margin.left, x2: w - margin.right, y1: floor - lane, y2: floor - lane }));
};
/* Fronts, the winner's ring, and names where there is room: of the winner, of fronts, of the best. */
const overScatter = (svg, { fronts, marks, fx, fy, margin, w, isMany, cost }) => {
  for (const { study, list } of fronts) {
    let d = `M${fx(list[0].cost).toFixed(1)} ${fy(list[0].score).toFixed(1)}`;
    for (const p of list.slice(1)) d += `H${fx(p.cost).toFixed(1)}V${fy(p.score).toFixed(1)}`;
    svg.append(sv("path", { class: "front", d, style: isMany ? `stroke:var(--${colourName(study.index)})` : null }));
  }
  const winners = fronts.map((f) => f.study.winner).filter((t) => t && isShown(t) && has(cost.get(t)));
  for (const t of winners) svg.append(sv("circle", { class: "crown", cx: fx(cost.get(t)), cy: fy(t.score), r: 10.5 }));
  const placed = marks.filter((m) => m.isBest).map((m) => ({ left: m.x - 5, top: m.y - 5, right: m.x + 5, bottom: m.y + 5 }));
  placed.push({ left: 0, right: w, top: 0, bottom: margin.top - 2 }); /* the title of the axis and the budget's */
  const wanted = unique([...winners, ...fronts.flatMap((f) => f.list.map((p) => p.trial)), ...(isMany ? [] : marks.filter((m) => m.isBest).map((m) => m.trial).sort((a, b) => a.study.order(a, b)))]);
  let n = 0;
  for (const t of wanted) {
    const wide = textWidth(t.netName, true), x = fx(cost.get(t)), y = fy(t.score), gap = winners.includes(t) ? 14 : 9;
    const spots = [[x + gap, y + 4, "start"], [x - gap - wide, y + 4, "end"], [x - wide / 2, y - gap - 2, "middle"], [x - wide / 2, y + gap + 12, "middle"]];
    const fits = spots.find(([left, base]) => left >= margin.left - 6 && left + wide <= w - 4 && base > 20 &&
      !placed.some((p) => left < p.right + 2 && p.left < left + wide + 2 && base - 11 < p.bottom && p.top < base + 3));
    if (!fits || n >= 26) continue;
    n++;
    placed.push({ left: fits[0], right: fits[0] + wide, top: fits[1] - 11, bottom: fits[1] + 3 });
    svg.append(sv("text", { class: "name", x: fits[2] === "start" ? fits[0] : fits[2] === "end" ? fits[0] + wide : fits[0] + wide / 2, y: fits[1], "text-anchor": fits[2] }, t.netName));
  }
};
const drawTradeoff = () => {
  const study = page.study, known = Object.keys(COSTS).filter((k) => page.studies.some((s) => s.trials.some((t) => has(COSTS[k].get(t)))));
  if (!known.includes(view.cost)) view.cost = known[0] || "ms";
  segments($("cost"), known.map((k) => [k, COSTS[k].name]), view.cost, (k) => { view.cost = k; redraw(); });
  const volume = volumeOf(study, view.cost);
  $("tradeoff-hint").textContent = (study.isLower ? "Down" : "Up") + " and to the left is better. " +
    (view.cost === "ms" ? "Latency is the 90th percentile of preprocessing, network and postprocessing together, measured before anything trained. " : "") +
    (has(volume.share) ? `Hypervolume ${fix(volume.share, 3)}: the front covers this share of the rectangle up to ${COSTS[view.cost].text(volume.cost)} and from ${metricName(study.objective)} ` +
      (study.isLower ? `${sig(volume.from)} down to 0.` : "0 to 1.") : "");
  const isMany = page.studies.length > 1, hidden = study.trials.filter((t) => has(t.score)).length > 300;
  $("scatter-key").replaceChildren(...(isMany ? [el("div", { class: "chips", role: "group", "aria-label": "Studies drawn" }, page.studies.map((s) => el("button", {
    type: "button", class: "chip", "aria-pressed": String(!view.hiddenStudies.has(s.index)),
    onclick: () => { if (!view.hiddenStudies.delete(s.index)) view.hiddenStudies.add(s.index); redraw(); },
  }, swatch(sv("path", { d: markPath(s.index % N_SHAPES, 9, 6, 4.8), fill: `var(--${colourName(s.index)})` })), s.name)))] : []),
  el("ul", { class: "key" },
    keyItem(sv("path", { d: "M0 10H8V3H18", fill: "none", stroke: isMany ? "var(--soft)" : "var(--buff)", "stroke-width": 2 }), "Pareto front"),
    study.winner ? keyItem(sv("circle", { cx: 9, cy: 6, r: 4.6, fill: "none", stroke: "var(--buff)", "stroke-width": 2.2 }), "winner") : "",
    keyItem(sv("circle", { cx: 9, cy: 6, r: 4.6, fill: "var(--soft)" }), "best trial of a network"),
    view.bestOnly ? "" : keyItem(hidden ? sv("circle", { cx: 9, cy: 6, r: 2.4, fill: "var(--soft)", opacity: 0.6 }) : sv("circle", { cx: 9, cy: 6, r: 4, fill: "none", stroke: "var(--soft)", "stroke-width": 1.8 }), "another trial"),
    study.trials.some((t) => t.state === "screened") ? keyItem(sv("path", { d: "M5 2l8 8m0-8l-8 8", stroke: "var(--soft)", "stroke-width": 2 }), "over the budget, not trained") : ""));
  drawFront(study);
};
/* The front as a table, with what the pictures can tell of it: the choice is between these. */
const drawFront = (study) => {
  const front = frontOf(study, study.ranked, view.cost).map((p) => p.trial).reverse(), key = study.objective;
  const isThere = front.length > 0;
  for (const id of ["front-title", "front-hint"]) $(id).hidden = !isThere;
  $("front-table").parentNode.hidden = !isThere;
  if (!isThere) return;
  $("front-hint").textContent = `The networks of the Pareto front: every other trial ${study.budget > 0 ? "within the budget " : ""}is beaten by one of these in both ${metricName(key)} and ${COSTS[view.cost].name === "MACs" ? "MACs" : COSTS[view.cost].name.toLowerCase()}.`;
  const best = front[0], verdict = (t) => {
    const c = t === best ? null : compare(study, best, t);
    return t === best ? "the most accurate" : !c ? DASH : c.isApart ? "less accurate" : "not told apart from it";
  };
  const heads = ["Network", metricName(key) + ", val", "By the pictures", "Latency, p90", "MACs", "Params", "Weights", "Trial"];
  $("front-table").replaceChildren(el("caption", {}, "The Pareto front"), el("thead", {}, el("tr", {}, heads.map((h, i) => el("th", { scope: "col", class: i === 2 ? "left" : null }, h)))),
    el("tbody", {}, front.map((t) => el("tr", { class: t === study.winner ? "is-winner" : null }, el("th", { scope: "row" }, t.netName, el("small", {}, t.options)),
      el("td", {}, fix(t.score, 3), el("small", {}, intervalText(study, t.val, key))), el("td", { class: "left" }, verdict(t)),
      el("td", {}, ms(t.ms), study.budget > 0 && has(t.ms) ? el("small", {}, percent(t.ms / study.budget) + " of the budget") : ""),
      el("td", {}, count(t.net && t.net.macs)), el("td", {}, count(t.net && t.net.params)), el("td", {}, bytes(t.net && t.net.bytes)), el("td", {}, trialLink(t))))));
};
const trialLink = (t, text) => el("button", { type: "button", class: "link", "aria-label": `Details of trial ${t.id}, ${t.label}`, onclick: () => openTrial(t) }, text || "#" + t.id);

// --- funnel -------------------------------------------------------------------------------------------------------------

const funnelRows = (study, trials) => {
  const at = (k) => trials.filter((t) => t.stage >= k || (t.stage === k - 1 && (t.state === "running" || (t.state === "failed" && t.rows.length >= k - 1 && t.curve))));
  const rows = [{ name: "Candidates", list: trials, isFirst: true }];
  study.ladder.forEach((epochs, k) => rows.push({ name: `Stage ${k + 1}`, note: `to ${plural(epochs, "epoch")}`, list: at(k + 1), stage: k + 1 }));
  return rows.filter((r) => r.isFirst || r.list.length);
};
const FUNNEL_PARTS = [
  ["went", "went on", (t, stage) => (stage === 0 ? t.stage > 0 || t.state === "running" || (t.state === "failed" && t.curve) : t.stage > stage || t === t.study.winner || (t.stage === t.study.ladder.length && stage === t.stage))],
  ["running", "still running or waiting", (t, stage) => t.state === "running" || t.state === "waiting" || (t.state === "done" && !t.study.isFinished && t.stage === stage)],
  ["screened", "over the budget", (t) => t.state === "screened"],
  ["failed", "failed", (t) => t.state === "failed"],
  ["left", "stopped here", () => true],
];
const drawFunnelOf = (study, trials, title) => {
  const rows = funnelRows(study, trials), widest = Math.max(1, trials.length);
  const spent = rows.map((r) => (r.stage ? r.list.filter((t) => t.stage >= r.stage).length * (study.ladder[r.stage - 1] - (study.ladder[r.stage - 2] || 0)) : 0)), total = sum(spent);
  return el("div", { class: "funnel-part" }, title ? el("h3", {}, title) : "", el("ol", { class: "funnel" }, rows.map((r, i) => {
    const rest = new Set(r.list), parts = FUNNEL_PARTS.map(([name, text, test]) => {
      const mine = [...rest].filter((t) => test(t, r.stage || 0));
      mine.forEach((t) => rest.delete(t));
      return { name, text: r.stage === study.ladder.length && name === "went" ? "trained to the end" : text, n: mine.length };
    }).filter((p) => p.n > 0);
    const networks = new Set(r.list.map((t) => t.netName)).size;
    return el("li", {}, el("span", { class: "funnel-name" }, r.name, r.note ? el("small", {}, r.note) : ""),
      el("div", {}, el("div", { class: "bar", "aria-hidden": "true", style: `width:${Math.max(0.6, (r.list.length / widest) * 100).toFixed(2)}%` }, parts.map((p) => el("i", { class: "is-" + p.name, style: `flex-grow:${p.n}` }))),
        el("span", { class: "bar-text" }, `${plural(r.list.length, "trial")} of ${plural(networks, "network")}: ` + parts.map((p) => `${thousands(p.n)} ${p.text}`).join(", ") +
          (total > 0 && spent[i] ? `; ${thousands(spent[i])} epochs, ${percent(spent[i] / total)} of the training` : ""))));
  })));
};
const drawFunnel = () => {
  const study = page.study, brackets = unique(study.trials.map((t) => t.bracket).filter(has)).sort(byNumber);
  const f = study.facts;
  $("funnel-hint").textContent = [f.sampler ? `Candidates were proposed by ${f.sampler}.` : "", f.schedule ? `Who goes on was decided by ${f.schedule}${f.stages && !f.schedule.includes(f.stages) ? " (" + f.stages + ")" : ""}.` : "",
    "A bar is as wide as its share of all candidates; its colours say what became of them."].filter(Boolean).join(" ");
  $("funnel").replaceChildren(...(brackets.length > 1 ? brackets.map((b) => drawFunnelOf(study, study.trials.filter((t) => t.bracket === b), `Bracket ${b}`)) : [drawFunnelOf(study, study.trials)]));
  $("funnel").classList.toggle("is-many", brackets.length > 1);
  $("funnel-key").replaceChildren(el("ul", { class: "key" }, FUNNEL_PARTS.map(([name, text]) => el("li", {}, el("i", { class: "dot is-" + name, "aria-hidden": "true" }), text))));
};

// --- networks compared --------------------------------------------------------------------------------------------------

const SHOWN_NETWORKS = 60;
const drawNetworks = () => {
  const study = page.study, all = bestOfNetworks(study, study.trials);
  if (study.winner) all.sort((a, b) => (b === study.winner) - (a === study.winner));
  const rows = view.allNetworks ? all : all.slice(0, SHOWN_NETWORKS);
  const keys = ["loss", "mean_iou", "box_precision50", "map50", "map50_95", "top1"].filter((k) => study.trials.some((t) => study.value(t.val, k) !== null));
  const onTest = keys.filter((k) => [study.objective, "mean_iou", "map50"].includes(k) && k !== "loss" && study.trials.some((t) => study.value(t.test, k) !== null));
  const value = (row, k) => [fix(study.value(row, k), k === "loss" ? 4 : 3), el("small", {}, intervalText(study, row, k))];
  const heads = ["Network", ...keys.map((k) => metricName(k) + ", val"), ...onTest.map((k) => metricName(k) + ", test"), "Latency, p90", "MACs", "Params", "Weights", "Peak memory"];
  $("networks-hint").textContent = `Each network by its best trial, ${rows.length < all.length ? `the first ${rows.length} of ${thousands(all.length)}; ` : ""}square brackets hold 95${THIN}% bootstrap intervals over pictures. Box precision is the share of boxes with an IoU above 0.5. ` +
    "Only the winner has seen the test pictures.";
  $("network-table").replaceChildren(el("caption", {}, "Networks by their best trial"), el("thead", {}, el("tr", {}, heads.map((h) => el("th", { scope: "col", class: h === "Weights" || h === "Peak memory" ? "is-extra" : null }, h)))),
    el("tbody", {}, rows.map((t) => el("tr", { class: t === study.winner ? "is-winner" : !has(t.score) ? "is-idle" : null },
      el("th", { scope: "row" }, t.netName, el("small", {}, t.options)), keys.map((k) => el("td", {}, value(t.val, k))), onTest.map((k) => el("td", {}, value(t.test, k))),
      el("td", {}, ms(t.ms), has(t.ms) ? el("small", {}, "p50 " + ms(t.net.total_p50_ms)) : "", has(t.ms) && !t.net.is_valid ? el("small", { title: t.net.note }, "disturbed") : "", t.state === "screened" ? el("small", {}, "over budget") : ""),
      el("td", {}, count(t.net && t.net.macs)), el("td", {}, count(t.net && t.net.params)), el("td", { class: "is-extra" }, bytes(t.net && t.net.bytes)), el("td", { class: "is-extra" }, bytes(t.net && t.net.peak_bytes)))),
    rows.length < all.length ? el("tr", {}, el("td", { class: "left", colspan: heads.length }, el("button", { type: "button", onclick: () => { view.allNetworks = true; drawNetworks(); } }, `Show all ${thousands(all.length)} networks`))) : ""));
};
