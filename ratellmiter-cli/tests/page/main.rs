//! The page in a headless browser, with its buttons pressed. Only files are opened.

mod lines;
mod panels;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// From the Debian package `chromium`.
const BROWSER: &str = "chromium";
const TIMEOUT: Duration = Duration::from_secs(60);

/// Collects errors and warnings, and the text drawn on the charts.
const BEFORE: &str = r"<script>
const problems = [], written = new Map();
addEventListener('error', (event) => problems.push(String(event.message)));
addEventListener('unhandledrejection', (event) => problems.push(String(event.reason)));
addEventListener('securitypolicyviolation', (event) => problems.push(event.violatedDirective));
for (const level of ['error', 'warn']) console[level] = (...words) => problems.push(words.join(' '));
const fillText = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
  written.set(this.canvas, [...(written.get(this.canvas) ?? []), text]);
  fillText.call(this, text, ...place);
};
</script>";

/// Functions for the scripts of the tests. A line counts as drawn if some pixels have exactly its color.
const TOOLS: &str = r"
const one = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const text = (selector) => one(selector).textContent;
const line = (letter) => one(`#legend [data-letter=${letter}]`);
const value = (button) => [button.dataset.letter, button.querySelector('output').value];
const values = () => Object.fromEntries(all('#legend button').map(value));
const pixels = (id) => one(id).getContext('2d').getImageData(0, 0, one(id).width, one(id).height).data;
/** Counts the pixels of each color, except those in some rows. */
const colors = (id, [from, to] = [0, 0]) => {
  const found = new Map();
  const data = pixels(id);
  for (let at = 0; at < data.length; at += 4) {
    const row = Math.floor(at / 4 / one(id).width);
    if (data[at + 3] !== 255 || (row > from && row < to)) continue;
    const color = `rgb(${data[at]}, ${data[at + 1]}, ${data[at + 2]})`;
    found.set(color, (found.get(color) ?? 0) + 1);
  }
  return found;
};
const drawn = () => {
  // Marks of events have the color of refused calls.
  const { bottom } = place.panels[0];
  const found = colors('#chart', [bottom + 1, bottom + EVENTS]);
  const isDrawn = (button) => (found.get(button.style.getPropertyValue('--line')) ?? 0) >= 5;
  return all('#legend button').filter(isDrawn).map((button) => button.dataset.letter).join('');
};
const pressed = () => all('#legend [aria-pressed=true]').map((button) => button.dataset.letter).join('');
/** Presses a button, and returns the drawn lines and the labels of the axes. */
const press = (button) => {
  written.clear();
  button.click();
  return { pressed: pressed(), drawn: drawn(), axes: written.get(one('#chart')) };
};
const key = (element, key) => element.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
const plot = one('#plot');
const move = (x, type = 'pointermove') => {
  const { left, top } = plot.getBoundingClientRect();
  plot.dispatchEvent(new PointerEvent(type, { clientX: left + x, clientY: top + 100, pointerType: 'mouse', bubbles: true }));
  return { when: text('#when'), time: text('#time'), values: values() };
};
/** Moves the pointer from the left until the readout shows `when`. */
const moveTo = (when) => {
  for (let x = 0; x < plot.clientWidth; x += 1) {
    const seen = move(x);
    if (seen.when === when) return seen;
  }
  return null;
};
const figures = () => Object.fromEntries(all('[data-figure]').map((figure) => [figure.dataset.figure, figure.textContent]));
const about = () => ({ name: text('#name'), verdict: text('#verdict'), figures: figures() });
";

struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn ratellmiter(&self, args: &[&str]) -> Vec<u8> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ratellmiter"));
        for variable in ["RATELLMITER", "RATELLMITER_LOGS", "RATELLMITER_CONFIG", "RATELLMITER_RATE_LIMIT"] {
            command.env_remove(variable);
        }
        let output =
            command.env("XDG_CONFIG_HOME", self.path("none")).current_dir(self.0.path()).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Renders the page of a log, runs `script` in it and returns the object `seen` that it filled.
    fn used(&self, log: &Path, args: &[&str], script: &str) -> Value {
        let file = format!("-file={}", log.display());
        self.ratellmiter(&[&[file.as_str(), "-out=x.html"], args].concat());
        let page = fs::read_to_string(self.path("x.html")).unwrap();
        let result = "const result = document.createElement('pre'); result.id = 'result';
            result.textContent = JSON.stringify({ seen, problems }); document.body.append(result);";
        let after = format!("<script>{{{TOOLS}\nconst seen = {{}};\n{script}\n{result}}}</script></body>");
        let page = page.replacen("<title>", &format!("{BEFORE}<title>"), 1).replacen("</body>", &after, 1);
        fs::write(self.path("used.html"), page).unwrap();
        let dom = self.browse("used.html");
        let (_, result) = dom.split_once("<pre id=\"result\">").unwrap_or_else(|| panic!("the script failed: {dom}"));
        let json = result.split_once("</pre>").unwrap().0;
        let json = json.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
        let mut found: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(found["problems"], json!([]));
        found["seen"].take()
    }

    /// Returns the DOM of a page after its scripts have run.
    fn browse(&self, page: &str) -> String {
        let profile = tempfile::tempdir_in(self.0.path()).unwrap();
        let (dom, noise) = (self.path("dom"), self.path("noise"));
        let mut browser = Command::new(BROWSER)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            // No host name is resolved.
            .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=2000", "--window-size=1400,900"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("--dump-dom")
            .arg(format!("file://{}", self.path(page).display()))
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(File::create(&dom).unwrap())
            .stderr(File::create(&noise).unwrap())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("this test needs the browser {BROWSER:?} (apt-get install --no-install-recommends chromium): {error}")
            });
        let started = Instant::now();
        let status = loop {
            match browser.try_wait().unwrap() {
                Some(status) => break status,
                None if started.elapsed() > TIMEOUT => {
                    browser.kill().unwrap();
                    browser.wait().unwrap();
                    panic!("{BROWSER} did not finish within {TIMEOUT:?}: {}", fs::read_to_string(noise).unwrap());
                }
                None => thread::sleep(Duration::from_millis(20)),
            }
        };
        assert!(status.success(), "{status}: {}", fs::read_to_string(noise).unwrap());
        fs::read_to_string(dom).unwrap()
    }
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../logs-sample").join(name)
}
