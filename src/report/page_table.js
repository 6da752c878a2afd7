/* The table of all trials: sorted, filtered, and only the rows in view are made, so that 10,000 stay quick; and the window that tells
 * everything about one trial.
 * SPDX-License-Identifier: Apache-2.0 */

const ROW = 37; /* pixels; every row has this height */
const ALL_AT_ONCE = 250; /* so many rows are simply made, which lets the browser search them */
const PRINTED = 100;

const trialColumns = () => {
  const study = page.study, key = study.objective, isMany = page.studies.length > 1;
  const second = [key.startsWith("map") ? "map50" : "box_precision50", "loss"].filter((k) => k !== key && study.metrics[k]);
  const knobs = study.options.filter((k) => !["imgsz", "head", "precision"].includes(k.name)).slice(0, 8);
  return [
    { name: "Network", text: true, get: (t) => t.netName, cell: (t) => [el("span", { class: "dot", style: `background:var(--${colourName(page.families.indexOf(t.family))})`, "aria-hidden": "true" }), trialLink(t, t.netName)] },
    isMany ? { name: "Study", text: true, left: true, get: (t) => t.study.name, cell: (t) => t.study.name } : null,
    ...knobs.map((k) => ({ name: knobName(k.name), text: !k.isNumber, get: (t) => (t.config[k.name] === undefined ? null : k.isNumber ? Number(t.config[k.name]) : t.config[k.name]), cell: (t) => (t.config[k.name] === undefined ? DASH : study.shortValue(k, t.config[k.name])) })),
    { name: metricName(key), get: (t) => t.score, cell: (t) => [fix(t.score, 3), has(t.score) && table.list.length <= ALL_AT_ONCE ? el("small", {}, " " + intervalText(t.study, t.val, key)) : ""], down: !study.isLower },
    ...second.map((k) => ({ name: k === "box_precision50" ? "box prec." : metricName(k), get: (t) => t.study.value(t.val, k), cell: (t) => fix(t.study.value(t.val, k), k === "loss" ? 4 : 3), down: k !== "loss", isExtra: true })),
    { name: "p90 ms", get: (t) => t.ms, cell: (t) => sig(t.ms) },
    { name: "MACs", isExtra: true, get: (t) => t.net && t.net.macs, cell: (t) => count(t.net && t.net.macs) },
    { name: "Params", isExtra: true, get: (t) => t.net && t.net.params, cell: (t) => count(t.net && t.net.params) },
    { name: "Epochs", get: (t) => epochsOf(t), cell: (t) => epochsOf(t) || DASH, down: true },
    { name: "Time", isExtra: true, get: (t) => t.seconds, cell: (t) => (t.seconds ? span(t.seconds) : DASH), down: true },
    { name: "Trial", get: (t) => t.id, cell: (t) => "#" + t.id },
    { name: "State", text: true, left: true, get: stateText, cell: (t) => el("span", { class: "badge " + (t === t.study.winner ? "winner" : t.state) }, stateText(t)) },
    { name: "Why", text: true, left: true, get: reasonText, cell: (t) => el("span", { class: "why", title: reasonText(t) }, reasonText(t)) },
  ].filter(Boolean);
};
/* isExtra: not on paper, which has no room for it. */
const columnClass = (c) => [c.left ? "left" : "", c.isExtra ? "is-extra" : ""].filter(Boolean).join(" ") || null;
const epochsOf = (t) => (t.val !== undefined && t.study.results.epochs ? t.study.results.epochs[t.val] : t.curve ? t.curve.columns.epoch[t.curve.to - 1] : null);

/* What a trial is found by, in lower case; made once. */
const haystack = (t) => t.hay || (t.hay = [t.label, t.family, stateText(t), t.state, reasonText(t), "#" + t.id, t.study.name, ...Object.entries(t.config).map(([k, v]) => k + "=" + v)].join(" ").toLowerCase());
const table = { columns: [], sort: null, list: [], from: -1, to: -1, heads: [], rows: new Map(), before: null, after: null };
const tableTrials = () => {
  const words = view.find.toLowerCase().split(/\s+/).filter(Boolean), all = page.studies.length > 1 ? page.studies.flatMap((s) => s.trials) : page.study.trials;
  return all.filter((t) => isShown(t) && (!view.state || t.state === view.state) && words.every((w) => haystack(t).includes(w)));
};
const sortTrials = (list, column, isDown) => {
  const keyed = list.map((t) => [column.get(t), t]), isNone = (v) => v === null || v === undefined || v === "" || Number.isNaN(v);
  const collator = new Intl.Collator("en", { numeric: true });
  keyed.sort(([a, ta], [b, tb]) => {
    if (isNone(a) || isNone(b)) return isNone(a) - isNone(b) || ta.id - tb.id;
    const d = column.text ? collator.compare(String(a), String(b)) : a - b;
    return (isDown ? -d : d) || ta.id - tb.id;
  });
  return keyed.map(([, t]) => t);
};

const drawTable = () => {
  const studies = page.studies.length > 1 ? page.studies : [page.study], total = sum(studies.map((s) => s.trials.length));
  table.columns = trialColumns();
  if (!table.sort || !table.columns.some((c) => c.name === table.sort.name)) table.sort = { name: metricName(page.study.objective), isDown: !page.study.isLower };
  const states = unique(studies.flatMap((s) => s.trials.map((t) => t.state)));
  options($("trial-state"), [["", "all"], ...states.map((s) => [s, STATE_TEXT[s] || s])], states.includes(view.state) ? view.state : (view.state = ""));
  if ($("trial-filter").value !== view.find) $("trial-filter").value = view.find;
  table.list = sortTrials(tableTrials(), table.columns.find((c) => c.name === table.sort.name), table.sort.isDown);
  $("trial-count").textContent = table.list.length === total ? plural(total, "trial") : `${thousands(table.list.length)} of ${plural(total, "trial")}`;
  $("trial-print").textContent = table.list.length > PRINTED ? `On paper the first ${PRINTED} rows stand here; the study and its CSV hold all.` : "";
  table.heads = table.columns.map((c) => el("th", { scope: "col", class: columnClass(c), "aria-sort": c.name === table.sort.name ? (table.sort.isDown ? "descending" : "ascending") : null },
    el("button", { type: "button", onclick: () => {
      table.sort = { name: c.name, isDown: table.sort.name === c.name ? !table.sort.isDown : Boolean(c.down) };
      const at = table.heads.findIndex((h) => h.contains(document.activeElement));
      drawTable();
      if (at >= 0) table.heads[at].firstChild.focus();
    } }, c.name)));
  $("trial-table").setAttribute("aria-rowcount", table.list.length + 1);
  $("trial-table").replaceChildren(el("caption", {}, "All trials; the buttons in the head sort"), el("colgroup"), el("thead", {}, el("tr", { "aria-rowindex": 1 }, table.heads)), el("tbody", { id: "trial-rows" }));
  table.from = table.to = -1;
  beginRows();
  showRows();
  freezeWidths();
};
const trialRow = (t, i) => el("tr", { "aria-rowindex": i + 2, class: t === t.study.winner ? "is-winner" : has(t.score) ? null : "is-idle" },
  table.columns.map((c, k) => el(k === 0 ? "th" : "td", { scope: k === 0 ? "row" : null, class: columnClass(c) }, c.cell(t))));
/* Rows outside the window are two empty rows of their height; rows that stay in the window stay as they are. */
const AROUND = 3; /* rows made beyond what is seen */
const spacer = () => el("tr", { class: "spacer", "aria-hidden": "true" }, el("td", { colspan: table.columns.length }));
const windowOf = (n) => {
  const box = $("trial-scroll"), first = Math.floor(box.scrollTop / ROW), seen = Math.ceil(box.clientHeight / ROW);
  return n <= ALL_AT_ONCE ? [0, n] : [Math.max(0, Math.min(first, n - seen) - AROUND), Math.min(n, first + seen + AROUND)];
};
const beginRows = () => {
  const body = $("trial-rows"), n = table.list.length;
  table.rows = new Map();
  table.before = spacer();
  table.after = spacer();
  table.before.hidden = true;
  table.after.style.height = n * ROW + "px";
  body.replaceChildren(table.before, table.after);
  if (n === 0) body.replaceChildren(el("tr", {}, el("td", { colspan: table.columns.length, class: "left" }, "No trial matches.")));
};
const showRows = (range = windowOf(table.list.length)) => {
  const [from, to] = range, body = $("trial-rows"), n = table.list.length;
  if (!body || n === 0 || (from === table.from && to === table.to)) return;
  for (const [i, row] of table.rows) if (i < from || i >= to) { row.remove(); table.rows.delete(i); }
  let next = table.after;
  for (let i = to - 1; i >= from; i--) {
    let row = table.rows.get(i);
    if (!row) { row = trialRow(table.list[i], i); table.rows.set(i, row); body.insertBefore(row, next); }
    next = row;
  }
  table.before.hidden = from === 0;
  table.before.style.height = from * ROW + "px";
  table.after.hidden = to === n;
  table.after.style.height = (n - to) * ROW + "px";
  table.from = from; table.to = to;
};
/* Columns keep the width that the first rows gave them: they would jump while the rows change, and cost a layout of all. */
const freezeWidths = () => {
  const t = $("trial-table");
  t.querySelector("colgroup").replaceChildren();
  t.style.tableLayout = t.style.width = "";
  if (table.list.length <= ALL_AT_ONCE) return;
  const widths = table.heads.map((h, i) => Math.ceil(h.getBoundingClientRect().width) + (table.columns[i].name === "Why" ? 60 : 6));
  t.querySelector("colgroup").replaceChildren(...widths.map((w) => el("col", { style: `width:${w}px` })));
  t.style.tableLayout = "fixed";
  t.style.width = sum(widths) + "px";
};

// --- one trial ----------------------------------------------------------------------------------------------------------

const factList = (rows) => el("dl", { class: "facts" }, rows.filter((r) => r && r[1] !== "" && r[1] !== null && r[1] !== undefined).map(([k, v]) => el("div", {}, el("dt", {}, k), el("dd", {}, v))));
const openTrial = (t) => {
  const study = t.study, r = study.results, n = t.net || {};
  $("trial-title").replaceChildren(el("span", { class: "dot", style: `background:var(--${colourName(page.families.indexOf(t.family))})`, "aria-hidden": "true" }), t.netName, " ", el("small", {}, "trial #" + t.id + (page.studies.length > 1 ? ", " + study.name : "")));
  const metrics = Object.keys(study.metrics).filter((k) => k !== "images" && t.rows.some((row) => study.value(row, k) !== null)).slice(0, 8);
  const reason = reasonText(t), rows = [...t.rows].sort((a, b) => (r.split[a] === "test") - (r.split[b] === "test") || r.stage[a] - r.stage[b]);
  metrics.sort((a, b) => (b === study.objective) - (a === study.objective));
  $("trial-body").replaceChildren();
  fill($("trial-body"), {}, [
    el("p", {}, el("span", { class: "badge " + (t === study.winner ? "winner" : t.state) }, stateText(t)), reason ? " " + reason : ""),
    t.rows.length ? el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Results by stage" }, el("table", { class: "data-table" }, el("caption", {}, "Results by stage"),
      el("thead", {}, el("tr", {}, ["Stage", "Epochs", "Best at", ...metrics.map(metricName)].map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, el("th", { scope: "row" }, r.split[row] === "test" ? "test pictures" : "stage " + r.stage[row]), el("td", {}, r.epochs[row] ?? DASH), el("td", {}, (r.best_epoch && r.best_epoch[row]) ?? DASH),
        metrics.map((k) => el("td", {}, fix(study.value(row, k), k === "loss" ? 4 : 3), el("small", {}, intervalText(study, row, k))))))))) : "",
    el("h3", {}, "Settings"), factList([...Object.entries(t.config), t.config.seed ? null : ["seed", t.seed]]),
    t.net ? [el("h3", {}, "Cost"), factList([["latency p50, p90, p99", [n.total_p50_ms, n.total_p90_ms, n.total_p99_ms].map(sig).join(", ") + THIN + "ms"], ["of it the network, p50", ms(n.p50_ms)], ["MACs", count(n.macs)], ["parameters", count(n.params)],
      ["weights", bytes(n.bytes)], ["peak memory", bytes(n.peak_bytes)], ["trained for", t.seconds ? span(t.seconds) : ""], n.note ? ["note", n.note] : null])] : "",
    el("h3", {}, "Run it again"), command(`gannet train --from-trial ${quote(study.path + ":" + t.id)}`),
    t.curve ? el("p", {}, el("button", { type: "button", onclick: () => { view.pinned = t; chooseStudy(study.index); $("trial").close(); $("curves").scrollIntoView(); } }, "Show its training curve")) : ""]);
  $("trial").showModal();
  $("trial-body").scrollTop = 0;
};
