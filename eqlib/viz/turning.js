// A scene of eqlib.viz.scenes on a canvas that turns: drag it, or focus it and press the arrow keys; Home turns it back.
// turning.py puts this function and its data into one <script>. It fetches nothing, and draws as plot_scene does.
((script, data) => {
  const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0)).buffer;
  const raw = new Int16Array(bytes(data.vertices)), shades = new Uint8Array(bytes(data.shades));
  const vertices = Float64Array.from(raw, n => n * data.unit), count = raw.length / 3;
  const rgb = hex => [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));
  const shade = n => {
    const at = n / 255 * (data.map.length - 1), i = Math.min(Math.floor(at), data.map.length - 2);
    return data.map[i].map((c, k) => c + (at - i) * (data.map[i + 1][k] - c));
  };
  const middles = data.panels.flatMap(([n, x, y]) => Array(n).fill([x, y]));
  const quads = [];
  let start = 0, shaded = 0;
  for (const [rows, columns, colour] of data.grids) {
    for (let r = 0; r + 1 < rows; r++) for (let c = 0; c + 1 < columns; c++) {
      const at = [r * columns + c, r * columns + c + 1, (r + 1) * columns + c + 1, (r + 1) * columns + c];
      const fill = colour ? rgb(colour) : shade(at.reduce((sum, i) => sum + shades[shaded + i], 0) / 4);
      quads.push([at.map(i => i + start), fill]);
    }
    start += rows * columns;
    if (!colour) shaded += rows * columns;
  }

  const box = script.parentElement, canvas = document.createElement("canvas"), line = document.createElement("p");
  box.querySelectorAll("p").forEach(fallback => fallback.remove());
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "picture that turns");
  canvas.setAttribute("aria-label", data.alt + ". Arrow keys turn it, Home turns it back.");
  canvas.style.cssText = `display: block; width: ${data.width}px; max-width: 100%; cursor: grab; touch-action: pan-y;`;
  line.setAttribute("aria-live", "polite");
  box.append(canvas, line);

  const [width, height] = [data.width, data.height], dense = Math.min(window.devicePixelRatio || 1, 2);
  canvas.width = width * dense;
  canvas.height = height * dense;
  const pen = canvas.getContext("2d"), scale = data.size / 2 / data.reach;
  let [turn, tilt] = data.view, waiting = false;

  const draw = () => {
    waiting = false;
    const [a, t] = [turn * Math.PI / 180, tilt * Math.PI / 180];
    const right = [-Math.sin(a), Math.cos(a), 0];
    const up = [-Math.sin(t) * Math.cos(a), -Math.sin(t) * Math.sin(a), Math.cos(t)];
    const eye = [Math.cos(t) * Math.cos(a), Math.cos(t) * Math.sin(a), Math.sin(t)];
    const seen = new Float64Array(3 * count);
    for (let i = 0; i < 3 * count; i += 3) [right, up, eye].forEach((row, k) => {
      seen[i + k] = row[0] * vertices[i] + row[1] * vertices[i + 1] + row[2] * vertices[i + 2];
    });
    const flat = i => [middles[i][0] + scale * seen[3 * i], middles[i][1] - scale * seen[3 * i + 1]];
    const deep = i => seen[3 * i + 2];
    const path = corners => {
      pen.beginPath();
      corners.forEach(([x, y]) => pen.lineTo(x, y));
    };
    const jobs = quads.map(([at, fill]) => [(deep(at[0]) + deep(at[1]) + deep(at[2]) + deep(at[3])) / 4, () => {
      const d = (i, j) => [0, 1, 2].map(k => seen[3 * at[i] + k] - seen[3 * at[j] + k]);
      const [p, q] = [d(2, 0), d(3, 1)];
      const n = [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]];
      const lit = Math.abs(n[0] * data.light[0] + n[1] * data.light[1] + n[2] * data.light[2]) / (Math.hypot(...n) || 1);
      pen.fillStyle = pen.strokeStyle = `rgb(${fill.map(c => Math.round(c * (0.65 + 0.35 * lit))).join()})`;
      pen.lineWidth = 0.7; // over the seam between two quads
      path(at.map(flat));
      pen.closePath();
      pen.fill();
      pen.stroke();
    }]);
    for (const [i, radius, colour] of data.discs) jobs.push([deep(i) + radius, () => {
      pen.beginPath();
      pen.arc(...flat(i), radius * scale, 0, 7);
      pen.fillStyle = colour;
      pen.fill();
      pen.strokeStyle = "#333333";
      pen.lineWidth = 1;
      pen.stroke();
    }]);
    for (const [i, j, thick, colour] of data.sticks) jobs.push([(deep(i) + deep(j)) / 2, () => {
      path([flat(i), flat(j)]);
      pen.strokeStyle = colour;
      pen.lineWidth = Math.max(1, thick * scale);
      pen.stroke();
    }]);
    for (const [i, j, thick, colour] of data.heads) jobs.push([deep(j), () => {
      const [[x, y], [u, v]] = [flat(i), flat(j)], long = Math.hypot(u - x, v - y) || 1;
      const [across, down] = [(y - v) / long * thick * scale / 2, (u - x) / long * thick * scale / 2];
      path([[u, v], [x + across, y + down], [x - across, y - down]]);
      pen.fillStyle = colour;
      pen.fill();
    }]);
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.fillStyle = "white";
    pen.fillRect(0, 0, width, height);
    jobs.sort((one, other) => one[0] - other[0]).forEach(job => job[1]());
    pen.font = "13px DejaVu Sans, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineWidth = 2;
    for (const [word, x, y] of [...data.names, ...data.words.map(([i, word]) => [word, ...flat(i)])]) {
      pen.strokeStyle = "white";
      pen.strokeText(word, x, y);
      pen.fillStyle = "black";
      pen.fillText(word, x, y);
    }
    line.textContent = `Turned to ${Math.round(turn)}°, tilted by ${Math.round(tilt)}°: drag it, or use the arrow keys; Home turns it back.`;
  };
  const set = (newTurn, newTilt) => {
    turn = ((newTurn + 180) % 360 + 360) % 360 - 180;
    tilt = Math.max(-90, Math.min(90, newTilt));
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  };
  canvas.addEventListener("keydown", event => {
    if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) event.stopPropagation(); // "x" would cut JupyterLab's cell
    const step = {ArrowLeft: [5, 0], ArrowRight: [-5, 0], ArrowUp: [0, -5], ArrowDown: [0, 5]}[event.key];
    if (!step && event.key !== "Home") return;
    event.preventDefault();
    event.stopPropagation();
    if (step) set(turn + step[0], tilt + step[1]); else set(...data.view);
  });
  let last = null;
  canvas.addEventListener("pointerdown", event => {
    canvas.setPointerCapture(event.pointerId);
    last = [event.clientX, event.clientY];
  });
  canvas.addEventListener("pointermove", event => {
    if (!last || !event.buttons) return;
    set(turn - (event.clientX - last[0]) * 0.6, tilt + (event.clientY - last[1]) * 0.6);
    last = [event.clientX, event.clientY];
  });
  draw();
})
