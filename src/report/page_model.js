/* What the data mean: studies and trials out of the columns, fronts, ties, knobs.  Nothing here touches the page.
 * SPDX-License-Identifier: Apache-2.0 */

const METRIC_NAMES = {
  mean_iou: "mean IoU", box_precision50: "box precision", map50: "mAP50", map75: "mAP75", map95: "mAP95",
  map50_95: "mAP50\u201395", precision: "precision", recall: "recall", loss: "loss", top1: "top-1", top5: "top-5",
};
const metricName = (key) => METRIC_NAMES[key] || key;
const KNOB_NAMES = { lr0: "learning rate", imgsz: "input size", model: "network", weight_decay: "weight decay", batch: "batch size" };
const knobName = (key) => KNOB_NAMES[key] || key.replace(/_/g, " ");

// --- families -----------------------------------------------------------------------------------------------------------

/* "mobilenet_v2@0.35" belongs to mobilenet_v2 or, coarsely, to mobilenet; "yolov1_half" to yolov1 or yolo. */
const familyOf = (model, isCoarse) => {
  const m = /^([a-z]+?)(_?v\d+)?(?=[^a-z]|$)/.exec(model.toLowerCase());
  return m ? m[1].replace(/^yolov$/, "yolo") + (isCoarse ? "" : m[2] || "") : model;
};
/* The fine families while there are few, else the coarse ones. */
const familiesOf = (models) => {
  const isCoarse = unique(models.map((m) => familyOf(m, false))).length > 10;
  return new Map(unique(models).map((m) => [m, familyOf(m, isCoarse)]));
};

// --- reading the columns ------------------------------------------------------------------------------------------------

const texts = (column) => (column ? column.index.map((i) => (i < 0 ? null : column.values[i])) : []);
/* Columns as one object per row. */
const rowsOf = (table, n) => {
  const keys = Object.keys(table), columns = keys.map((k) => (Array.isArray(table[k]) ? table[k] : texts(table[k])));
  return Array.from({ length: n }, (_, i) => Object.fromEntries(keys.map((k, c) => [k, columns[c][i]])));
};
const sizeOf = (column) => (column ? (Array.isArray(column) ? column : column.index).length : 0);

const studyName = (path, facts) => {
  if (facts.title) return facts.title;
  const parts = path.split("?")[0].replace(/\/+$/, "").split("/"), last = parts.pop() || path;
  const name = last.replace(/\.(db|sqlite)$/, "");
  return name === "study" && parts.length ? parts.pop() : name;
};

/* How the values of a knob are ordered and drawn: numbers (by their size, on a logarithm when they span more than a factor of 20) or
 * names in the order of appearance. */
const knobOf = (name, column) => {
  const numbers = column.values.map(Number);
  const isNumber = column.values.every((v) => v.trim() !== "") && numbers.every(Number.isFinite);
  const positive = numbers.filter((x) => x > 0), isLog = isNumber && positive.length === numbers.length && most(positive) / least(positive) > 20;
  const values = isNumber ? unique(numbers).sort(byNumber) : column.values;
  return { name, isNumber, isLog, values, isContinuous: isNumber && values.length > 12 };
};

/* A study as the page works with it.  A row of results is known by its number; value() and interval() look into the columns. */
class Study {
  constructor(raw, index) {
    Object.assign(this, { index, path: raw.path, facts: raw.facts, commands: raw.commands, pictures: raw.pictures, metrics: raw.metrics, isLean: raw.is_lean });
    this.importance = raw.importance || { why: "", shares: [] };
    this.documents = new Map((raw.documents || []).map((d) => [d.trial + ":" + d.name, d.value]));
    this.name = studyName(raw.path, raw.facts);
    this.objective = raw.facts.objective || "mean_iou";
    this.isLower = this.objective === "loss";
    this.budget = parseFloat(raw.facts.budget_ms) || 0;
    this.networks = rowsOf(raw.networks, sizeOf(raw.networks.id));
    this.readKnobs(raw);
    this.readResults(raw);
    this.readTrials(raw);
    this.readCurves(raw.curves);
    this.ladder = this.findLadder();
    this.ranked = this.trials.filter((t) => has(t.score)).sort((a, b) => this.order(a, b));
    this.winner = this.trials.find((t) => String(t.id) === raw.facts.winner) || null;
    this.leader = this.winner || this.ranked[0] || null;
    this.isFinished = Boolean(raw.facts.finished_at);
  }

  readKnobs(raw) {
    const n = sizeOf(raw.trials.id);
    this.config = raw.config;
    this.knobs = Object.keys(raw.config).map((k) => knobOf(k, raw.config[k]))
      .filter((k) => k.values.length > 1 || raw.config[k.name].index.some((i) => i < 0));
    this.options = this.knobs.filter((k) => k.name !== "model");
    this.configOf = (i) => {
      const config = {};
      for (const [k, column] of Object.entries(this.config)) if (column.index[i] >= 0) config[k] = column.values[column.index[i]];
      return config;
    };
    this.nTrials = n;
  }

  readResults(raw) {
    const r = raw.results;
    this.results = { ...r, split: texts(r.split) };
    this.rowsOfTrial = new Map();
    (r.trial || []).forEach((id, row) => {
      const at = this.rowsOfTrial.get(id);
      if (at) at.push(row); else this.rowsOfTrial.set(id, [row]);
    });
  }

  readTrials(raw) {
    const networkOf = new Map(this.networks.map((n) => [n.id, n])), state = texts(raw.trials.state), reason = texts(raw.trials.reason);
    const column = (name, i, none) => (raw.trials[name] ? raw.trials[name][i] : none);
    this.trials = [];
    for (let i = 0; i < this.nTrials; i++) {
      const id = raw.trials.id[i], rows = this.rowsOfTrial.get(id) || [], config = this.configOf(i);
      const net = networkOf.get(raw.trials.network[i]) || null;
      const last = (split) => rows.filter((r) => this.results.split[r] === split).sort((a, b) => this.results.stage[b] - this.results.stage[a])[0];
      const t = {
        id, study: this, config, model: config.model || "?", state: state[i], reason: reason[i] || "", stage: column("stage", i, 0) || 0,
        seed: column("seed", i, null), seconds: column("seconds", i, null), bracket: column("bracket", i, null), rows, net,
        val: last("val"), test: last("test"), ms: net ? net.total_p90_ms : null, curve: null,
      };
      t.score = this.value(t.val, this.objective);
      t.testScore = this.value(t.test, this.objective);
      this.trials.push(t);
    }
    this.byId = new Map(this.trials.map((t) => [t.id, t]));
    const varies = (key) => this.options.some((k) => k.name === key);
    const parts = [["imgsz", (v) => v + THIN + "px"], ["head", (v) => v], ["precision", (v) => v]].filter(([key]) => varies(key));
    const others = this.options.filter((k) => !parts.some(([key]) => key === k.name));
    for (const t of this.trials) {
      t.netName = [t.model, ...parts.filter(([key]) => t.config[key] !== undefined).map(([key, text]) => text(t.config[key]))].join(" ");
      t.options = others.filter((k) => t.config[k.name] !== undefined).map((k) => `${k.name} ${this.shortValue(k, t.config[k.name])}`).join(", ");
      t.label = t.options ? `${t.netName}, ${t.options}` : t.netName;
    }
  }

  shortValue(knob, text) { return knob.isContinuous ? sig(Number(text)) : text; }

  readCurves(c) {
    this.nWithCurves = c.n_trials || 0;
    let row = 0;
    (c.trial || []).forEach((id, i) => {
      const t = this.byId.get(id), from = row;
      row += c.rows[i];
      if (t) t.curve = { from, to: row, step: c.step[i], columns: c };
    });
  }

  /* Epochs at which the stages end, by the results; by the setting where there is none. */
  findLadder() {
    const set = (this.facts.stages || "").split(",").filter(Boolean).map((s) => parseInt(s, 10)), seen = new Map();
    this.results.split.forEach((split, row) => {
      const stage = this.results.stage[row];
      if (split === "val") seen.set(stage, Math.max(seen.get(stage) || 0, this.results.epochs[row]));
    });
    const ladder = [];
    for (let k = 1; k <= Math.max(set.length, most([0, ...seen.keys()])); k++) ladder.push(set[k - 1] || seen.get(k) || 0);
    return ladder;
  }

  value(row, metric) {
    const m = row === undefined ? null : this.metrics[metric];
    return m && has(m.value[row]) ? m.value[row] : null;
  }
  /* [low, high] of the 95 % interval; null without one. */
  interval(row, metric) {
    const m = row === undefined ? null : this.metrics[metric];
    return m && m.low && (m.low[row] !== 0 || m.high[row] !== 0) ? [m.low[row], m.high[row]] : null;
  }
  isBetter(a, b) { return this.isLower ? a < b : a > b; }
  order(a, b) { return (this.isLower ? a.score - b.score : b.score - a.score) || a.id - b.id; }
  /* The number by which a knob of a trial is placed: its value, or the place of its name; NaN where the trial lacks it. */
  place(knob, t) {
    const text = t.config[knob.name];
    return text === undefined ? NaN : knob.isNumber ? Number(text) : knob.values.indexOf(text);
  }
}

// --- sets of trials -----------------------------------------------------------------------------------------------------

/* Each network by its best trial (one without a score where it has none), best first. */
const bestOfNetworks = (study, trials) => {
  const best = new Map();
  for (const t of trials) {
    const other = best.get(t.netName);
    if (!other || (has(t.score) && (!has(other.score) || study.isBetter(t.score, other.score)))) best.set(t.netName, t);
  }
  return [...best.values()].sort((a, b) => (has(a.score) && has(b.score) ? study.order(a, b) : has(b.score) - has(a.score) || (a.ms || 0) - (b.ms || 0)));
};

/* What no other beats in both: by rising cost.  points: [{cost, score}]. */
const paretoFront = (points, isLower) => {
  const sign = isLower ? -1 : 1, front = [];
  const sorted = points.filter((p) => has(p.cost) && has(p.score)).sort((a, b) => a.cost - b.cost || sign * (b.score - a.score));
  for (const p of sorted) if (!front.length || sign * p.score > sign * front[front.length - 1].score) front.push(p);
  return front;
};

/* The area that the front covers, as a share of the rectangle from cost 0 to `cost` and from score `from` to `to` (from: the worse). */
const hypervolume = (front, cost, from, to) => {
  let area = 0;
  const inside = front.filter((p) => p.cost <= cost);
  inside.forEach((p, i) => {
    const next = i + 1 < inside.length ? inside[i + 1].cost : cost;
    area += (next - p.cost) * Math.max(0, Math.min(1, (p.score - from) / (to - from)));
  });
  return cost > 0 ? area / cost : NaN;
};

/* A small generator with a fixed seed, so that the page says the same each time (mulberry32). */
const randomFrom = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
/* 95 % interval of the mean of paired differences, by 2,000 bootstrap draws of pictures. */
const pairedInterval = (differences) => {
  const random = randomFrom(7), n = differences.length, means = [];
  for (let k = 0; k < 2000; k++) {
    let total = 0;
    for (let i = 0; i < n; i++) total += differences[Math.floor(random() * n)];
    means.push(total / n);
  }
  means.sort(byNumber);
  return [quantile(means, 0.025), quantile(means, 0.975)];
};

/* A JSON document that the study holds beside a trial; null when there is none, or none that says something. */
const documentOf = (study, t, name) => {
  const found = t && study.documents.get(t.id + ":" + name);
  return found && found.applicable !== false ? found : null;
};
/* Scores by picture of a trial's validation: a Map from picture to score; null without. */
const pictureScores = (study, t) => {
  const found = documentOf(study, t, "val_pictures");
  return found && Array.isArray(found.pictures) && found.pictures.length ? new Map(found.pictures.filter((p) => has(p.score)).map((p) => [p.name, p.score])) : null;
};
/* Whether the pictures tell a from b: {isApart, how}, null when nothing is known.  Paired where both have scores by picture, else by
 * whether the 95 % intervals of the two overlap. */
const compare = (study, a, b) => {
  const sa = pictureScores(study, a), sb = pictureScores(study, b);
  if (sa && sb) {
    const differences = [...sa].filter(([k]) => sb.has(k)).map(([k, v]) => v - sb.get(k));
    if (differences.length >= 10) {
      const [low, high] = pairedInterval(differences);
      return { isApart: low > 0 || high < 0, how: "paired", low, high, n: differences.length };
    }
  }
  const ia = study.interval(a.val, study.objective), ib = study.interval(b.val, study.objective);
  return ia && ib ? { isApart: ia[1] < ib[0] || ib[1] < ia[0], how: "intervals" } : null;
};

// --- binning ------------------------------------------------------------------------------------------------------------

/* The values of a knob in at most `n` bins: [{text, from, to}] (to excluded but in the last), by value where there are few. */
const binsOf = (knob, n) => {
  if (!knob.isNumber) return knob.values.map((v, i) => ({ text: v, from: i, to: i + 0.5 }));
  if (knob.values.length <= n) return knob.values.map((v) => ({ text: tickText(v), from: v, to: v }));
  const f = knob.isLog ? Math.log10 : (x) => x, g = knob.isLog ? (x) => Math.pow(10, x) : (x) => x;
  const low = f(knob.values[0]), high = f(knob.values[knob.values.length - 1]), edge = (i) => (i === 0 ? knob.values[0] : i === n ? knob.values[knob.values.length - 1] : g(low + ((high - low) * i) / n));
  return Array.from({ length: n }, (_, i) => ({ text: `${sig(edge(i))}\u2013${sig(edge(i + 1))}`, from: edge(i), to: edge(i + 1), isLast: i + 1 === n }));
};
const binAt = (bins, x) => {
  for (let i = 0; i < bins.length; i++)
    if (bins[i].from === x || (x > bins[i].from && (x < bins[i].to || (bins[i].isLast && x <= bins[i].to)))) return i;
  return -1;
};
