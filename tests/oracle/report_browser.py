#!/usr/bin/env python3
"""Opens made-up reports of 84, 1,000 and 10,000 trials in Chromium and looks: no error on the console, no request to anywhere, every
control has a name, nothing sticks out at 1280 and 400 pixels, hovering and scrolling answer within 50 ms, the figures that the page
computes are right, and it prints.

    python3 tests/oracle/report_browser.py BUILD [--out FOLDER] [--picture FILE.jpg] [--page FILE.html ...]

BUILD/tests/test_report writes the pages.  --out keeps screenshots, PDFs and the pages; --page looks at these pages instead.  Lines that
begin with "ok" or "FAILED" are checks.  Needs Debian's chromium; talks its DevTools protocol over a pipe, with nothing but Python.
SPDX-License-Identifier: Apache-2.0"""
import argparse
import base64
import http.server
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time

NAMED_ROLES = {"button", "link", "textbox", "searchbox", "checkbox", "radio", "radiogroup", "combobox", "application", "dialog", "region",
               "navigation", "table", "image", "img", "group"}
ANSWER_MS = 50  # hovering and scrolling
REPORT_SECONDS, REPORT_BYTES = 3.0, 6_000_000  # of 10,000 trials
failures = 0


def check(name, is_good, found=""):
    global failures
    failures += not is_good
    print(("ok " if is_good else "FAILED ") + name + (f": {found}" if found != "" else ""), flush=True)


class Browser:
    """Chromium without a window; one page at a time."""

    def __init__(self):
        program = shutil.which("chromium") or shutil.which("google-chrome")
        if program is None:
            sys.exit("chromium is not installed (Debian: apt-get install chromium)")
        self.folder = tempfile.mkdtemp(prefix="gannet-chromium-")
        to_read, self.to = os.pipe()
        self.back, to_write = os.pipe()

        def wire():
            # Through high numbers, so that neither is closed by the other's move; the protocol wants 3 and 4.
            a, b = os.dup2(to_read, 100), os.dup2(to_write, 101)
            os.dup2(a, 3)
            os.dup2(b, 4)
        arguments = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe", "--no-first-run",
                     "--disable-background-networking", "--disable-dev-shm-usage", f"--user-data-dir={self.folder}", "about:blank"]
        self.process = subprocess.Popen(arguments, preexec_fn=wire, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.buffer, self.number, self.session, self.events = b"", 0, None, []
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        self.call("Performance.enable", timeDomain="threadTicks")

    def read(self, seconds):
        end = time.monotonic() + seconds
        while b"\0" not in self.buffer:
            if not select.select([self.back], [], [], max(0, end - time.monotonic()))[0]:
                return None
            chunk = os.read(self.back, 1 << 20)
            if not chunk:
                raise RuntimeError("Chromium ended")
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read(120)
            if answer is None:
                raise RuntimeError(f"no answer to {method}")
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, event, seconds=60):
        end = time.monotonic() + seconds
        while not any(e.get("method") == event for e in self.events):
            message = self.read(max(0, end - time.monotonic()))
            if message is None:
                raise RuntimeError(f"waited for {event} in vain")
            self.events.append(message)

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def size(self, width, height, is_dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}])

    def open(self, path):
        self.events = []
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        self.wait_for("Page.loadEventFired")
        self.settle()

    def settle(self):
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60))))")

    def screenshot(self, path, is_whole=True):
        if is_whole:  # what is drawn only when it comes into view is drawn
            self.evaluate("drawAllCharts(true)")
            self.settle()
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=is_whole,
                         **({"clip": self.whole()} if is_whole else {}))["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def whole(self):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}

    def pdf(self, path):
        data = self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True, paperWidth=8.27, paperHeight=11.69)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def busy_ms(self):
        metrics = {m["name"]: m["value"] for m in self.call("Performance.getMetrics")["metrics"]}
        return metrics["TaskDuration"] * 1000

    def key(self, name):
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowRight": 39, "ArrowLeft": 37, "End": 35}
        for kind in ("rawKeyDown", "char", "keyUp") if name == "Enter" else ("rawKeyDown", "keyUp"):
            text = {"text": "\r"} if kind == "char" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=codes[name], **text)

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


# --- one check each -------------------------------------------------------------------------------------------------------

def quiet(browser, name):
    """Nothing on the console, nothing asked of anybody."""
    said = []
    for event in browser.events:
        method, params = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            said.append(params["exceptionDetails"].get("exception", {}).get("description", "exception")[:300])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            said.append(str(params["args"])[:300])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            said.append(params["entry"]["text"][:300])
    check(f"{name}: no error on the console", not said, "; ".join(said[:3]))
    asked = [e["params"]["request"]["url"][:80] for e in browser.events if e.get("method") == "Network.requestWillBeSent"]
    asked = [url for url in asked if not url.startswith(("data:", "file:"))]
    check(f"{name}: no request", not asked, ", ".join(asked[:3]))


def names_on_controls(browser, name):
    browser.call("Accessibility.enable")
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    browser.call("Accessibility.disable")  # its upkeep would be timed with the page's own work
    bare = []
    for node in nodes:
        role = node.get("role", {}).get("value")
        if not node.get("ignored") and role in NAMED_ROLES and not node.get("name", {}).get("value", "").strip():
            bare.append(role)
    counted = sum(1 for n in nodes if n.get("role", {}).get("value") in NAMED_ROLES and not n.get("ignored"))
    check(f"{name}: {counted} controls, regions and pictures have names", counted > 20 and not bare, ", ".join(bare[:8]))


def no_overflow(browser, name):
    wide, inner = browser.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    culprits = "" if wide <= inner else browser.evaluate(
        "[...document.querySelectorAll('main *')].filter((n) => n.getBoundingClientRect().right > innerWidth + 1 && !n.closest('.scroll')).slice(0, 4)"
        ".map((n) => n.tagName + '#' + n.id + '.' + n.getAttribute('class')).join(' ')")
    check(f"{name}: nothing sticks out", wide <= inner, f"{wide} of {inner} pixels {culprits}")


def texts_apart(browser, name):
    """No two texts of a chart cover each other, and none is cut off at its edge."""
    found = browser.evaluate("""(() => {
      const bad = [];
      for (const plot of document.querySelectorAll('.plot')) {
        const frame = plot.getBoundingClientRect();
        if (!frame.width) continue;
        const boxes = [...plot.querySelectorAll('text')].filter((t) => !t.getAttribute('transform')).map((t) => [t.textContent, t.getBoundingClientRect()]);
        boxes.forEach(([text, a], i) => {
          if (a.left < frame.left - 6 || a.right > frame.right + 6) bad.push('cut: ' + text);
          for (const [other, b] of boxes.slice(i + 1))
            if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4) bad.push(text + ' | ' + other);
        });
      }
      return bad;
    })()""")
    check(f"{name}: no text covers another", not found, f"{len(found)}: " + "; ".join(found[:5]) if found else "")


def keyboard(browser, name):
    browser.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    seen = set()
    for _ in range(60):
        browser.key("Tab")
        seen.add(browser.evaluate("(() => { const a = document.activeElement; return a.closest('.chart') ? a.closest('.chart').id : a.id || (a.closest('[id]') || {}).id || ''; })()"))
    check(f"{name}: Tab reaches the controls of the upper part", {"scatter", "best-only", "cost"} <= seen, ", ".join(sorted(seen)))
    browser.evaluate("document.querySelector('#scatter .plot').focus()")
    browser.key("ArrowRight")
    told = browser.evaluate("document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent")
    check(f"{name}: an arrow key tells a trial", "trial" in told, told[:60])
    browser.key("Enter")
    check(f"{name}: Enter opens it", browser.evaluate("document.getElementById('trial').open"))
    browser.key("Escape")
    check(f"{name}: Escape closes it", not browser.evaluate("document.getElementById('trial').open"))


WATCH = """(() => {
  window.answers = [];
  const kind = '%s';
  const on = (e) => {
    const begun = performance.now();
    requestAnimationFrame(() => { const c = new MessageChannel(); c.port1.onmessage = () => window.answers.push(performance.now() - begun); c.port2.postMessage(0); });
  };
  if (window.watching) removeEventListener(window.watching[0], window.watching[1], true);
  window.watching = [kind, on];
  addEventListener(kind, on, { capture: true, passive: true });
})()"""


def answer_times(browser, name, what, act, n=30, share=0.95):
    """Processor time of the page's thread for each event, its script, layout and painting together: that is what the page asks of a machine,
    whatever else runs on this one.  The time on the clock until the next frame is told beside it."""
    browser.evaluate(WATCH % ("pointermove" if what.startswith("hover") else "scroll"))
    spent = []
    for i in range(n):
        before = browser.busy_ms()
        act(i)
        browser.settle()
        spent.append(browser.busy_ms() - before)
    clock = sorted(browser.evaluate("window.answers"))
    spent.sort()
    at = lambda list, share: list[min(len(list) - 1, int(len(list) * share))]  # noqa: E731
    if not clock:
        check(f"{name}: {what}", False, "nothing was measured")
        return
    check(f"{name}: {what} within {ANSWER_MS} ms", at(spent, share) < ANSWER_MS,
          f"processor time median {at(spent, 0.5):.1f} ms, p95 {at(spent, 0.95):.1f} ms; until the next frame by the clock median {at(clock, 0.5):.1f} ms, p95 {at(clock, 0.95):.1f} ms")


def speed(browser, name):
    for chart in ("scatter", "glance-chart", "heat", "curve-chart"):
        browser.evaluate(f"document.getElementById('{chart}').scrollIntoView({{block: 'center', behavior: 'instant'}})")
        browser.settle()
        box = browser.evaluate(f"(() => {{ const b = document.getElementById('{chart}').getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; }})()")
        if not box or not box[2]:
            continue
        answer_times(browser, name, f"hover over {chart}", lambda i, b=box: browser.mouse(
            "mouseMoved", b[0] + b[2] * (0.15 + 0.7 * (i % 10) / 10), max(2, min(880, b[1] + b[3] * (0.1 + 0.8 * ((i * 7) % 40) / 40)))))
    browser.evaluate("document.getElementById('trial-scroll').scrollIntoView({block: 'center', behavior: 'instant'})")
    browser.settle()
    box = browser.evaluate("(() => { const b = document.getElementById('trial-scroll').getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]; })()")
    answer_times(browser, name, "scroll of the table", lambda i: (browser.mouse("mouseWheel", *box, deltaX=0, deltaY=300 if i < 20 else -360), time.sleep(0.02)))
    answer_times(browser, name, "jump in the table", lambda i: browser.evaluate(
        f"document.getElementById('trial-scroll').scrollTop = {(i * 7919) % 1000 / 1000} * document.getElementById('trial-scroll').scrollHeight; new Promise(requestAnimationFrame)"), share=0.5)
    browser.evaluate("scrollTo({top: 0, behavior: 'instant'})")
    answer_times(browser, name, "scroll of the page", lambda i: (browser.mouse("mouseWheel", 640, 300, deltaX=0, deltaY=260), time.sleep(0.02)))
    for what, code in (("a family switched", "document.querySelector('[data-families] button').click()"), ("a search in the table", "(() => { view.find = 'resnet'; drawTable(); view.find = ''; drawTable(); })()")):
        took = browser.evaluate(f"(() => {{ const t = performance.now(); {code}; return performance.now() - t; }})()")
        print(f"   {name}: {what}: {took:.0f} ms")
    browser.evaluate("view.hidden.clear(); redraw()")


# --- what the page computes, against slow and plain ways -------------------------------------------------------------------

def computations(browser):
    fronts = browser.evaluate("""(() => {
      const random = randomFrom(3);
      for (let k = 0; k < 200; k++) {
        const isLower = k % 2 === 1, points = Array.from({ length: 1 + k % 40 }, () => ({ cost: Math.round(random() * 20), score: Math.round(random() * 20) / 20 }));
        const beats = (a, b) => a.cost <= b.cost && (isLower ? a.score <= b.score : a.score >= b.score) && (a.cost < b.cost || a.score !== b.score);
        const slow = unique(points.filter((p) => !points.some((o) => beats(o, p))).map((p) => p.cost + ' ' + p.score)).sort();
        const fast = paretoFront(points, isLower).map((p) => p.cost + ' ' + p.score).sort();
        if (slow.join() !== fast.join()) return k + ': ' + slow + ' / ' + fast;
        const front = paretoFront(points, isLower), from = isLower ? 1 : 0, to = 1 - from;
        let hits = 0;
        for (let i = 0; i < 20000; i++) {
          const x = random() * 18, y = random();
          hits += front.some((p) => p.cost <= x && (p.score - from) / (to - from) >= y);
        }
        if (Math.abs(hits / 20000 - hypervolume(front, 18, from, to)) > 0.015) return k + ': hypervolume ' + hits / 20000 + ' / ' + hypervolume(front, 18, from, to);
      }
      return '';
    })()""")
    check("fronts and hypervolumes as by comparing all and by counting darts", fronts == "", fronts)
    bins = browser.evaluate("""(() => {
      const random = randomFrom(5), bad = [];
      for (let k = 0; k < 50; k++) {
        const values = unique(Array.from({ length: 3 + k }, () => String(+(Math.pow(10, -5 + 4 * random())).toPrecision(4))));
        const knob = knobOf('lr0', { values }), bins = binsOf(knob, 8);
        for (const v of values) if (binAt(bins, Number(v)) < 0) bad.push(v);
      }
      return bad.join();
    })()""")
    check("every value falls into a bin", bins == "", bins)
    families = browser.evaluate("['mobilenet_v2@0.35', 'yolov1_half', 'resnet18', 'shufflenet_v2_x0_5', 'mnasnet1_0', 'vgg11_bn'].map((m) => familyOf(m, false) + ' ' + familyOf(m, true)).join()")
    check("families", families == "mobilenet_v2 mobilenet,yolov1 yolo,resnet resnet,shufflenet_v2 shufflenet,mnasnet mnasnet,vgg vgg", families)
    interval = browser.evaluate("(() => { const r = randomFrom(9); const d = Array.from({length: 400}, () => 0.1 + (r() - 0.5)); const [a, b] = pairedInterval(d); return [a, b, sum(d) / 400]; })()")
    # The mean of 400 uniform numbers of width 1 has the deviation sqrt(1/12/400) = 0.0144: about 0.0566 wide around the mean.
    check("paired interval", abs((interval[0] + interval[1]) / 2 - interval[2]) < 0.003 and 0.05 < interval[1] - interval[0] < 0.063, interval)
    quantiles = browser.evaluate("[quantile([1,2,3,4], 0.5), quantile([5], 0.9), quantile([0,10], 0.25)]")
    check("quantiles", quantiles == [2.5, 5, 2.5], quantiles)
    sorting = browser.evaluate("""(() => {
      const sorted = sortTrials(page.study.trials, { get: (t) => t.score }, true).map((t) => t.score);
      const there = sorted.filter(has);
      return there.every((v, i) => i === 0 || v <= there[i - 1]) && sorted.slice(there.length).every((v) => !has(v)) && there[0] === page.study.ranked[0].score;
    })()""")
    check("trials in order, those without a result last", sorting is True)


# --- a page that is served while a search runs ---------------------------------------------------------------------------

def live(browser, path, folder):
    """The page of a running search fetches its data anew, and what the reader chose stays chosen."""
    with open(path, encoding="utf-8") as file:
        page = file.read()
    data = re.search(r'id="data">(.*?)</script>', page, re.S).group(1)
    page = page.replace('id="live-url">null<', 'id="live-url">"data.json?token=x"<').replace("script-src 'unsafe-inline'\"", "script-src 'unsafe-inline'; connect-src 'self'\"")
    later = json.loads(data)
    later["studies"][0]["facts"]["winner"] = str(later["studies"][0]["trials"]["id"][0])
    answers = {"page": page, "data": data}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            body = answers["data" if "data.json" in self.path else "page"].encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json" if "data.json" in self.path else "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser.size(1280, 900)
    browser.events = []
    browser.call("Page.navigate", url=f"http://127.0.0.1:{server.server_port}/?token=x")
    browser.wait_for("Page.loadEventFired")
    browser.evaluate("document.getElementById('trial-filter').value = 'resnet'; document.getElementById('trial-filter').dispatchEvent(new Event('input')); view.hidden.add('vgg'); redraw()")
    answers["data"] = json.dumps(later)
    end = time.monotonic() + 40
    while time.monotonic() < end and not browser.evaluate("Boolean(page.study.winner) && page.study.winner.id === 1"):
        time.sleep(0.5)
    check("live: new data are shown", browser.evaluate("Boolean(page.study.winner) && document.getElementById('title').textContent === page.study.winner.netName"))
    check("live: the filters stay", browser.evaluate("view.find === 'resnet' && view.hidden.has('vgg') && document.getElementById('trial-filter').value === 'resnet' && table.list.every((t) => haystack(t).includes('resnet'))"))
    asked = {e["params"]["request"]["url"].split("/")[-1].split("?")[0] for e in browser.events if e.get("method") == "Network.requestWillBeSent"}
    check("live: asks for its data alone", asked <= {"", "data.json", ","} or all(a in ("", "data.json") or a.startswith("svg") for a in asked), ", ".join(sorted(asked))[:200])
    server.shutdown()


# --- pages ----------------------------------------------------------------------------------------------------------------

def make_page(arguments, folder, name, picture, trials):
    path = os.path.join(folder, name + ".html")
    done = subprocess.run([os.path.join(arguments.build, "tests", "test_report"), path, picture or "-", *trials], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"test_report {path}: {done.stderr}")
    size, seconds = map(float, re.search(r"(\d+) bytes, report made in ([\d.]+) s", done.stdout).groups())
    if name == "10000":
        check("10000: the report is made in time", seconds < REPORT_SECONDS, f"{seconds:.2f} s")
        check("10000: and small enough", size < REPORT_BYTES, f"{size / 1e6:.2f} MB")
    return path


def look(browser, path, name, folder):
    browser.size(1280, 900)
    browser.open(path)
    names_on_controls(browser, name)
    for width, is_dark in ((1280, False), (1280, True), (400, False), (400, True)):
        browser.size(width, 900, is_dark)
        browser.evaluate("drawAllCharts(true)")
        browser.settle()
        label = f"{name}, {width} px, {'dark' if is_dark else 'light'}"
        if not is_dark:
            no_overflow(browser, label)
            texts_apart(browser, label)
        if folder:
            browser.screenshot(os.path.join(folder, f"{name}-{width}-{'dark' if is_dark else 'light'}.png"))
    browser.size(1280, 900)
    for view in ("knobs", "order"):
        browser.evaluate(f"view.glance = '{view}'; redraw(); drawAllCharts(true)")
        browser.settle()
        texts_apart(browser, f"{name}, {view}")
        if folder:
            browser.evaluate("document.getElementById('glance').scrollIntoView({behavior: 'instant'})")
            browser.settle()
            browser.screenshot(os.path.join(folder, f"{name}-{view}.png"), is_whole=False)
    browser.evaluate("view.glance = 'rows'; redraw()")
    if folder:
        browser.pdf(os.path.join(folder, f"{name}.pdf"))
    quiet(browser, name)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", nargs="?", default="build")
    parser.add_argument("--out")
    parser.add_argument("--picture")
    parser.add_argument("--page", nargs="*", default=[])
    parser.add_argument("--no-speed", action="store_true", help="without the timings, which mean something on an idle machine only")
    arguments = parser.parse_args()
    work = arguments.out or tempfile.mkdtemp(prefix="gannet-report-")
    os.makedirs(work, exist_ok=True)
    pages = {os.path.splitext(os.path.basename(p))[0]: p for p in arguments.page}
    if not pages:
        for name, trials in (("84", ["84"]), ("1000", ["1000"]), ("10000", ["10000"]), ("two", ["84+84"]), ("running", ["200", "running"])):
            pages[name] = make_page(arguments, work, name, arguments.picture, trials)
    browser = Browser()
    try:
        for i, (name, path) in enumerate(pages.items()):
            look(browser, path, name, arguments.out)
            if i == 0:
                keyboard(browser, name)
                computations(browser)
            if name == "10000" and not arguments.no_speed:
                browser.open(path)
                speed(browser, name)
                quiet(browser, name + " after use")
            if name == "running":
                live(browser, path, work)
    finally:
        browser.close()
        if not arguments.out:
            shutil.rmtree(work)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
