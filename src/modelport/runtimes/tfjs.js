// A TensorFlow.js model behind the frames of frames.py: the first request opens it, each other one runs it.
"use strict";
const fs = require("fs"), path = require("path");
const tf = require("@tensorflow/tfjs");
console.log = console.warn = console.error;  // standard output carries frames only

const ARRAYS = {float32: Float32Array, int32: Int32Array, bool: Uint8Array, uint8: Uint8Array};

function handler(file) {
  const folder = path.dirname(file), json = JSON.parse(fs.readFileSync(file));
  const pieces = [], specs = [];
  for (const group of json.weightsManifest || []) {
    for (const p of group.paths) pieces.push(fs.readFileSync(path.join(folder, p)));
    specs.push(...group.weights);
  }
  const all = Buffer.concat(pieces);
  const weightData = all.buffer.slice(all.byteOffset, all.byteOffset + all.length);
  return {json, io: {load: async () => ({...json, weightSpecs: specs, weightData})}};
}

const nodeOf = (name) => name.replace(/:0$/, "");

async function open(file, backend, tensors) {
  if (backend === "wasm") require("@tensorflow/tfjs-backend-wasm");
  await tf.setBackend(backend);
  await tf.ready();
  const {json, io} = handler(file);
  const layers = json.format ? json.format === "layers-model" : "model_config" in json.modelTopology;
  const describe = (t, name) => [name, t.dtype || "float32", t.shape || null];
  if (layers) {
    const model = await tf.loadLayersModel(io);
    const inputs = model.inputs.map((t) => describe(t, t.name));
    const outputs = model.outputs.map((t) => describe(t, t.name));
    return {inputs, outputs, run: async (feeds) => {
      const made = model.predict(inputs.map(([name]) => feeds[name]));
      return Array.isArray(made) ? made : [made];
    }};
  }
  const model = await tf.loadGraphModel(io);
  const signature = json.signature || json.userDefinedMetadata && json.userDefinedMetadata.signature || {};
  const byNode = (list) => Object.fromEntries(list.map((t) => [nodeOf(t.name), t]));
  const ins = byNode(model.inputs), outs = byNode(model.outputs);
  const named = (entries, known) => entries && Object.keys(entries).length
    ? Object.entries(entries).map(([key, t]) => [key, t.name]) : Object.keys(known).map((n) => [n, n]);
  const inputs = named(signature.inputs, ins).filter(([, name]) => nodeOf(name) in ins);
  const outputs = named(signature.outputs, outs);
  const nodes = model.executor.graph.nodes;
  outputs.push(...(tensors || []).filter((t) => t in nodes).map((t) => [t, t]));
  return {
    inputs: inputs.map(([key, name]) => describe(ins[nodeOf(name)], key)),
    outputs: outputs.map(([key, name]) => describe(outs[nodeOf(name)] || {}, key)),
    run: async (feeds) => {
      const given = Object.fromEntries(inputs.map(([key, name]) => [nodeOf(name), feeds[key]]));
      const made = await model.executeAsync(given, outputs.map(([, name]) => name.endsWith(":0") ? nodeOf(name) : name));
      return Array.isArray(made) ? made : [made];
    }};
}

function send(header, arrays = []) {
  header.arrays = arrays.map(([name, t, data]) => ({name, dtype: t.dtype === "string" ? "object" : t.dtype, shape: t.shape,
                                                    bytes: data.length}));
  const head = Buffer.from(JSON.stringify(header)), start = Buffer.alloc(8);
  start.write("MPF1");
  start.writeUInt32LE(head.length, 4);
  for (let piece of [start, head, ...arrays.map((a) => a[2])])
    for (let at = 0; at < piece.length;) {
      try { at += fs.writeSync(1, piece, at); } catch (e) { if (e.code !== "EAGAIN") throw e; }
    }
}

function read(n) {
  const out = Buffer.alloc(n);
  for (let at = 0; at < n;) {
    let got = 0;
    try { got = fs.readSync(0, out, at, n - at, null); } catch (e) {
      if (e.code === "EAGAIN") continue;
      if (e.code !== "EOF") throw e;
    }
    if (!got) process.exit(0);
    at += got;
  }
  return out;
}

function receive() {
  const header = JSON.parse(read(read(8).readUInt32LE(4)));
  const feeds = {};
  for (const {name, dtype, shape, bytes} of header.arrays) {
    const body = read(bytes);
    if (dtype === "object") {
      feeds[name] = tf.tensor(JSON.parse(body), shape, "string");
    } else {
      const whole = body.buffer.slice(body.byteOffset, body.byteOffset + bytes);
      feeds[name] = tf.tensor(new ARRAYS[dtype](whole), shape, dtype === "uint8" ? "int32" : dtype);
    }
  }
  return {header, feeds};
}

async function time(model, feeds, {seconds, most, warm}) {
  const once = async () => {
    const made = await model.run(feeds);
    await Promise.all(made.map((t) => t.data()));
    tf.dispose(made);
  };
  for (let k = 0; k < warm; k++) await once();
  const taken = [], busy = process.cpuUsage(), end = process.hrtime.bigint() + BigInt(Math.round(seconds * 1e9));
  for (let before = 0n; taken.length < most && (before < end || !taken.length);) {
    before = process.hrtime.bigint();
    await once();
    taken.push(Number(process.hrtime.bigint() - before));
  }
  const {user, system} = process.cpuUsage(busy);
  return {taken, cpu: (user + system) / 1e6 / taken.length, memory: process.resourceUsage().maxRSS * 1024};
}

async function main() {
  let model;
  for (;;) {
    const {header, feeds} = receive();
    try {
      if (header.do === "open") {
        model = await open(header.path, header.backend, header.tensors);
        send({version: tf.version.tfjs, inputs: model.inputs, outputs: model.outputs});
        continue;
      }
      if (header.do === "time") {
        send(await time(model, feeds, header));
        tf.dispose(feeds);
        continue;
      }
      const made = await model.run(feeds), arrays = [];
      for (let k = 0; k < made.length; k++) {
        let data = await made[k].data();
        const kind = ARRAYS[made[k].dtype];  // a cast that loses nothing keeps the array of the type before it
        if (kind && !(data instanceof kind)) data = kind.from(data);
        arrays.push([model.outputs[k][0], made[k], made[k].dtype === "string" ? Buffer.from(JSON.stringify(Array.from(data)))
          : Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
      }
      send({}, arrays);
      tf.dispose([made, feeds]);
    } catch (e) {
      send({error: String(e && e.message || e).slice(0, 2000)});
    }
  }
}

main();
