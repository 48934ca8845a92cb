// Points by WebGL: one buffer of places, one of colours; panning and zooming change two numbers.

const VERTEX = `
attribute vec2 place; attribute vec4 look; uniform vec2 shift; uniform vec2 scale; uniform float size; varying vec4 tint;
void main() { vec2 at = place * scale + shift; gl_Position = vec4(at.x * 2.0 - 1.0, 1.0 - at.y * 2.0, 0.0, 1.0);
  gl_PointSize = size * (look.a > 1.5 ? 2.6 : 1.0); tint = look; }`;
const FRAGMENT = `
precision mediump float; varying vec4 tint;
void main() { float far = distance(gl_PointCoord, vec2(0.5)); if (far > 0.5) discard;
  float strong = tint.a > 1.5 ? 1.0 : tint.a; float rim = tint.a > 1.5 ? smoothstep(0.5, 0.2, far) : 1.0;
  gl_FragColor = vec4(tint.rgb, 1.0) * strong * mix(0.35, 1.0, rim) * smoothstep(0.5, 0.42, far); }`;

export class Points {
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext("webgl", { premultipliedAlpha: true, antialias: true, preserveDrawingBuffer: true });
    this.n = 0;
    if (this.gl) this.prepare();
    else this.flat = canvas.getContext("2d");
  }

  prepare() {
    const gl = this.gl;
    const shader = (kind, text) => { const one = gl.createShader(kind); gl.shaderSource(one, text); gl.compileShader(one); return one; };
    this.program = gl.createProgram();
    gl.attachShader(this.program, shader(gl.VERTEX_SHADER, VERTEX));
    gl.attachShader(this.program, shader(gl.FRAGMENT_SHADER, FRAGMENT));
    gl.linkProgram(this.program);
    gl.useProgram(this.program);
    this.buffers = { place: gl.createBuffer(), look: gl.createBuffer() };
    this.at = Object.fromEntries(["shift", "scale", "size"].map((name) => [name, gl.getUniformLocation(this.program, name)]));
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  bind(name, values, width) {
    const gl = this.gl;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    const where = gl.getAttribLocation(this.program, name);
    gl.enableVertexAttribArray(where);
    gl.vertexAttribPointer(where, width, gl.FLOAT, false, 0, 0);
  }

  // `places`: x, y from 0 to 1; `looks`: red, green, blue, strength (above 1.5: larger, glowing).
  set(places, looks) {
    this.places = places;
    this.looks = looks;
    this.n = places.length / 2;
    if (this.gl) { this.bind("place", places, 2); this.bind("look", looks, 4); }
  }

  draw(view) {
    const ratio = devicePixelRatio || 1;
    const [width, height] = [Math.round(this.canvas.clientWidth * ratio), Math.round(this.canvas.clientHeight * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) { this.canvas.width = width; this.canvas.height = height; }
    const size = ratio * Math.min(14, (this.n > 20000 ? 2.4 : this.n > 6000 ? 3.4 : 4.6) * Math.sqrt(view.zoom));
    if (this.gl) this.drawFast(view, size, width, height);
    else this.drawFlat(view, size, width, height);
  }

  drawFast(view, size, width, height) {
    const gl = this.gl;
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform2f(this.at.shift, view.x, view.y);
    gl.uniform2f(this.at.scale, view.zoom, view.zoom);
    gl.uniform1f(this.at.size, size);
    gl.drawArrays(gl.POINTS, 0, this.n);
  }

  drawFlat(view, size, width, height) {
    this.flat.clearRect(0, 0, width, height);
    for (let row = 0; row < this.n; row += 1) {
      const [red, green, blue, strong] = this.looks.subarray(row * 4, row * 4 + 4);
      this.flat.fillStyle = `rgb(${red * 255} ${green * 255} ${blue * 255} / ${Math.min(1, strong)})`;
      const wide = strong > 1.5 ? size * 2 : size;
      this.flat.fillRect((this.places[row * 2] * view.zoom + view.x) * width - wide / 2, (this.places[row * 2 + 1] * view.zoom + view.y) * height - wide / 2, wide, wide);
    }
  }
}
